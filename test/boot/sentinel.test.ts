/** Sentinels: a stable identity per slot, and what a replaced one learns from its peers. */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { serverBinary } from "../servers/supported.ts";
import { Bed, PASSWORD } from "./bed.ts";
import { GROUP, type Pod } from "./pod.ts";
import { until } from "./wait.ts";

const idOf = (what: string): string => createHash("sha1").update(`${GROUP}/${what}`).digest("hex");
const conf = (pod: Pod): Promise<string> => readFile(join(pod.home, "sentinel/sentinel.conf"), "utf8");

async function id(pod: Pod): Promise<string> {
  return until(`the sentinel ${pod.ip}`, async () => {
    if (pod.sentinel.code !== undefined) throw new Error(`the sentinel ended:\n${await pod.sentinel.log()}`);
    const [answer] = await pod.callSentinel("sentinel", "myid");
    return answer !== undefined && /^[0-9a-f]{40}$/.test(answer) ? answer : undefined;
  });
}

async function monitor(pods: readonly Pod[], master: Pod): Promise<void> {
  for (const pod of pods) {
    expect(await pod.callSentinel("sentinel", "monitor", GROUP, master.ip, "6379", "2")).toEqual(["OK"]);
    const settings = [
      "auth-pass",
      PASSWORD,
      "down-after-milliseconds",
      "2500",
      "failover-timeout",
      "9000",
      "parallel-syncs",
      "3",
    ];
    expect(await pod.callSentinel("sentinel", "set", GROUP, ...settings)).toEqual(["OK"]);
  }
}

describe("identity", () => {
  let bed: Bed;
  afterEach(() => bed.close());

  test("by the slot, also when it comes late; by the pod's uid where none comes; the environment's password is asked for", async () => {
    bed = await Bed.make(await serverBinary("redis 7.0"));
    const [early, late, none] = [await bed.pod("0"), await bed.pod(), await bed.pod()];
    early.startSentinel();
    late.startSentinel({ REDIS_HA_SLOT_WAIT_S: "10" });
    none.startSentinel({ REDIS_HA_SLOT_WAIT_S: "1" });
    expect(await id(early)).toBe(idOf("0"));
    await until("the log line", async () => (await late.sentinel.log()).includes("waiting up to 10 s for the slot"));
    await late.giveSlot("2");
    expect(await id(late)).toBe(idOf("2"));
    expect(await id(none)).toBe(idOf(none.uid));
    expect(await early.callSentinel("auth", "wrong")).toEqual([expect.stringContaining("WRONGPASS")]);
    expect(await early.sentinel.log()).toContain("starting without one");
    expect(await early.sentinel.log()).not.toContain(PASSWORD);
  });

  test("a container that restarts goes on with what it knew, also under the identity of another slot", async () => {
    bed = await Bed.make(await serverBinary("redis 7.0"), "ash");
    const pod = await bed.pod("1");
    pod.startRedis([]);
    pod.startSentinel();
    await id(pod);
    await pod.up();
    await pod.call("replicaof", "no", "one");
    await monitor([pod], pod);
    await until("the epoch in the file", async () => (await conf(pod)).includes(`sentinel monitor ${GROUP} ${pod.ip} 6379 2`));
    // as after a failover
    pod.sentinel.kill();
    await pod.sentinel.ended;
    await writeFile(
      join(pod.home, "sentinel/sentinel.conf"),
      (await conf(pod)).replace(/(sentinel (?:config-epoch|leader-epoch) \S+) 0/g, "$1 7"),
    );
    await pod.giveSlot("2");
    pod.startSentinel();
    expect(await id(pod)).toBe(idOf("2"));
    expect(await pod.monitored()).toMatchObject({
      ip: pod.ip,
      "config-epoch": "7",
      "down-after-milliseconds": "2500",
      "parallel-syncs": "3",
    });
    const log = await pod.sentinel.log();
    expect(log).toContain(`the slot is 2 now: the identity ${idOf("1")} becomes ${idOf("2")}`);
    // Sentinel writes the password without quotes; a password with spaces must survive a restart nevertheless.
    await until("a link to the master", async () => (await pod.monitored()).flags === "master");
  });
});

test.concurrent.each([
  ["redis", "7.0"],
  ["redis", "8.0"],
  ["valkey", "8."],
  ["valkey", "9."],
] as const)(
  "a replaced sentinel, %s %s: settings, epochs and peers, also while the master is down",
  async (name, version) => {
    const bed = await Bed.make(await serverBinary(`${name} ${version}`), name === "valkey" ? "ash" : "dash");
    try {
      const pods = [await bed.pod("0"), await bed.pod("1"), await bed.pod("2")] as const;
      const [first, second, third] = pods;
      await bed.publish(pods);
      for (const pod of pods) {
        pod.startSentinel();
        pod.startRedis([]);
      }
      for (const pod of pods) await Promise.all([id(pod), pod.up()]);
      await first.call("replicaof", "no", "one");
      for (const pod of [second, third]) await pod.call("replicaof", first.ip, "6379");
      await monitor(pods, first);
      for (const pod of pods)
        await until("everybody known", async () => {
          const known = await pod.monitored();
          return known["num-other-sentinels"] === "2" && known["num-slaves"] === "2";
        });
      await first.seesElectable();
      expect(await first.callSentinel("sentinel", "failover", GROUP)).toEqual(["OK"]);
      await until("the failover everywhere", async () => {
        const all = await Promise.all(pods.map((pod) => pod.monitored()));
        return all.every((known) => known["config-epoch"] === "1" && known.ip !== first.ip && known.flags === "master");
      });
      const master = (await second.monitored()).ip;
      const seen = (await first.monitored())["config-epoch"];

      // The master dies, and a sentinel's pod goes with it: the worst moment to know nobody.
      const dead = master === second.ip ? second : third;
      const alive = dead === second ? third : second;
      dead.kill();
      const fourth = await bed.pod(dead === second ? "1" : "2");
      await bed.publish([first, alive, fourth]);
      fourth.startSentinel();
      expect(await id(fourth)).toBe(idOf(dead === second ? "1" : "2"));
      expect(await fourth.sentinel.log()).toContain(`(config-epoch ${seen}, votes up to epoch `);
      expect(await conf(fourth)).toMatch(new RegExp(`^sentinel leader-epoch ${GROUP} [1-9]$`, "m"));
      expect(await fourth.monitored()).toMatchObject({
        quorum: "2",
        "down-after-milliseconds": "2500",
        "failover-timeout": "9000",
        "parallel-syncs": "3",
      });
      await until(
        "a new master, agreed by all three",
        async () => {
          const all = await Promise.all([first, alive, fourth].map((pod) => pod.monitored()));
          const [named] = all;
          return named?.ip !== dead.ip && all.every((known) => known.ip === named?.ip && known["num-other-sentinels"] === "2");
        },
        25_000,
      );
      for (const pod of [first, alive, fourth])
        expect((await pod.callSentinel("sentinel", "ckquorum", GROUP))[0]).toMatch(/^OK 3 usable/);
    } finally {
      await bed.close();
    }
  },
  60_000,
);
