/** Law 1 where the process itself starts again, with the file that it has rewritten: no script of ours runs then. */
import { expect, test } from "vitest";
import { NOBODY } from "../../model/names.ts";
import { serverBinaries } from "../servers/install.ts";
import { Bed } from "./bed.ts";
import { until } from "./wait.ts";

test("a master that rewrote its configuration and executes itself again is a waiting replica", async () => {
  for (const binary of await serverBinaries()) {
    // CONFIG REWRITE quotes no password: with one that needs it the server would only end, and its container start again.
    const bed = await Bed.make(binary, "dash", "a-plain-password");
    try {
      const pod = await bed.pod();
      pod.startRedis(["--enable-debug-command", "yes", "--save", "", "--replica-priority", "70"]);
      await pod.up();
      expect(await pod.call("replicaof", "no", "one")).toEqual(["OK"]);
      // The last thing that the watcher gives back.
      const stale = async (): Promise<string | undefined> => Object.values(await pod.config("replica-serve-stale-data"))[0];
      await until("the end of the waiting", async () => (await stale()) === "yes");
      expect(await pod.config("replica-priority")).toEqual({ "replica-priority": "70" });
      expect(await pod.call("set", "key", "value")).toEqual(["OK"]);
      // As Sentinel does it with every server that it reconfigures.
      expect(await pod.call("config", "rewrite")).toEqual(["OK"]);
      await pod.call("debug", "restart");
      await until("the server again", async () => (await pod.role()).startsWith(`slave ${pod.ip} ${NOBODY.port}`));
      expect((await pod.call("get", "key"))[0], `${binary.name} ${binary.version}`).toContain("MASTERDOWN");
      expect((await pod.call("set", "key", "value"))[0]).toContain("READONLY");
      // The watcher lives on and goes on as with a server that has just come up.
      expect(await pod.call("replicaof", "no", "one")).toEqual(["OK"]);
      await until("the end of the waiting", async () => (await pod.call("get", "key"))[0] === "");
    } finally {
      await bed.close();
    }
  }
});
