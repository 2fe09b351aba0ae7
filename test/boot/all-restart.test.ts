/**
 * Every redis of a group was started anew while its sentinels live and no handlers run. Nobody of them knows whether it has the newest data, and after an AOF restart
 * their offsets say nothing, so Sentinel could choose the empty one. Nobody may be electable until it has followed a master.
 */
import { mkdir, rm } from "node:fs/promises";
import { beforeAll, expect, test } from "vitest";
import { type ServerBinary, serverBinaries } from "../servers/install.ts";
import { Bed, PASSWORD, type Shell } from "./bed.ts";
import { GROUP, type Pod } from "./pod.ts";
import { pause, until } from "./wait.ts";

let servers: readonly ServerBinary[] = [];
beforeAll(async () => {
  servers = await serverBinaries();
});

/** Longer than down-after, Sentinel's start of an election and two of its attempts. */
const TEMPTED_MS = 12_000;
const AOF = ["--appendonly", "yes"];
const BY_ANNOTATION = { REDIS_HA_PRIORITY: "70" };

const priority = async (pod: Pod): Promise<string | undefined> => (await pod.config("replica-priority"))["replica-priority"];

async function follows(pod: Pod, master: Pod): Promise<void> {
  await until(`${pod.ip} to follow`, async () => (await pod.role()) === `slave ${master.ip} 6379 connected`, 25_000);
}

test.concurrent.each([
  ["redis", "7.0", "dash"],
  ["valkey", "9.", "ash"],
] as const)(
  "%s %s: no waiting server is electable, one that has followed a master is",
  async (name, version, shell: Shell) => {
    const binary = servers.find((candidate) => candidate.name === name && candidate.version.startsWith(version));
    if (binary === undefined) throw new Error(`no ${name} ${version}`);
    const bed = await Bed.make(binary, shell);
    try {
      const pods = [await bed.pod("0"), await bed.pod("1"), await bed.pod("2")] as const;
      const [master, full, empty] = pods;
      await bed.publish(pods);
      for (const pod of pods) {
        pod.startSentinel();
        pod.startRedis([...AOF, "--replica-priority", "50"], { env: pod === empty ? BY_ANNOTATION : {} });
      }
      for (const pod of pods) await pod.up();
      await master.call("replicaof", "no", "one");
      for (const pod of pods) {
        await until("the sentinel", async () => (await pod.callSentinel("ping"))[0] === "PONG");
        await pod.callSentinel("sentinel", "monitor", GROUP, master.ip, "6379", "2");
        const settings = ["auth-pass", PASSWORD, "down-after-milliseconds", "2000", "failover-timeout", "2000"];
        expect(await pod.callSentinel("sentinel", "set", GROUP, ...settings)).toEqual(["OK"]);
      }
      for (const pod of [full, empty]) await follows(pod, master);
      await until("the user's priority", async () => (await priority(full)) === "50" && (await priority(master)) === "50");
      await until("the annotation's priority", async () => (await priority(empty)) === "70");
      for (const pod of pods) await until("all replicas known", async () => (await pod.monitored())["num-slaves"] === "2");
      for (let key = 0; key < 100; key++) await master.call("set", `key${key}`, "value");
      await master.call("wait", "2", "3000");

      for (const pod of pods) pod.redis.kill();
      for (const pod of pods) await pod.redis.ended;
      await rm(empty.data, { recursive: true });
      await mkdir(empty.data);
      // The master's node does not come back.
      full.startRedis([...AOF, "--replica-priority", "50"]);
      empty.startRedis(AOF);
      for (const pod of [full, empty]) await pod.up();
      await until("the sentinels to miss the master", async () => (await full.monitored()).flags?.includes("o_down"), 20_000);
      await pause(TEMPTED_MS);
      expect(await Promise.all([full, empty].map((pod) => pod.role()))).not.toContain("master");
      expect(await Promise.all([full, empty].map(priority))).toEqual(["0", "0"]);

      // What a person or the handlers decide.
      await full.call("replicaof", "no", "one");
      await empty.call("replicaof", full.ip, "6379");
      await follows(empty, full);
      // A kill may take the last writes with it: they are on the disk within a second.
      expect(await full.call("dbsize")).not.toEqual(["0"]);
      expect(await empty.call("dbsize")).toEqual(await full.call("dbsize"));
      await until("electable again", async () => (await priority(full)) === "50" && (await priority(empty)) === "100");
    } finally {
      await bed.close();
    }
  },
  90_000,
);
