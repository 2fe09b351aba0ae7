/** A group of three pods without handlers: what the scripts do by themselves, and that nothing is lost by it. */
import { mkdir, rm } from "node:fs/promises";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { NOBODY } from "../../model/names.ts";
import { serverBinary } from "../servers/supported.ts";
import { Bed, PASSWORD, type Shell } from "./bed.ts";
import { GROUP, type Pod } from "./pod.ts";
import { pause, until } from "./wait.ts";

test.concurrent.each([
  ["redis", "7.0", "dash"],
  ["redis", "8.0", "ash"],
  ["valkey", "8.", "dash"],
  ["valkey", "9.", "ash"],
] as const)(
  "a group on %s %s with %s",
  async (name, version, shell: Shell) => {
    const bed = await Bed.make(await serverBinary(`${name} ${version}`), shell);
    try {
      const pods = [await bed.pod("0"), await bed.pod("1"), await bed.pod("2")] as const;
      await bed.publish(pods);
      for (const pod of pods) {
        pod.startSentinel();
        pod.startRedis([], { env: { REDIS_HA_MIN_REPLICAS_MAX_LAG: "10" } });
      }
      await waitsQuietly(pods);
      await bootstraps(pods);
      const second = await restartOfAnEmptyMaster(pods);
      await handOver(pods, second);
    } finally {
      await bed.close();
    }
  },
  90_000,
);

/** Waiting replicas: one clear line, no noise, no answers, and nothing that could serve data at the address of nobody. */
async function waitsQuietly(pods: readonly Pod[]): Promise<void> {
  for (const pod of pods) {
    expect(await pod.up()).toMatch(new RegExp(`^slave ${pod.ip} ${NOBODY.port} `));
    await until("the reason in the log", async () =>
      (await pod.redis.log()).includes(`waiting: no sentinel names a master for ${GROUP} (3 answered)`),
    );
    await until("a connection that nobody answers", async () => /handshake|connecting/.test(await pod.role()));
  }
  const before = await Promise.all(pods.map(lines));
  await pause(6000);
  const after = await Promise.all(pods.map(lines));
  for (const [at, count] of after.entries()) expect(count - (before[at] ?? 0)).toBeLessThanOrEqual(1);
}

/** What the handlers' bootstrap does; then the others attach by themselves and serve reads again. */
async function bootstraps([first, second, third]: readonly [Pod, Pod, Pod]): Promise<void> {
  expect(await first.call("replicaof", "no", "one")).toEqual(["OK"]);
  for (const pod of [first, second, third]) {
    expect(await pod.callSentinel("sentinel", "monitor", GROUP, first.ip, "6379", "2")).toEqual(["OK"]);
    const settings = [
      "auth-pass",
      PASSWORD,
      "down-after-milliseconds",
      "2000",
      "failover-timeout",
      "10000",
      "parallel-syncs",
      "2",
    ];
    expect(await pod.callSentinel("sentinel", "set", GROUP, ...settings)).toEqual(["OK"]);
  }
  for (const pod of [second, third])
    await until(`${pod.ip} to follow`, async () => (await pod.role()) === `slave ${first.ip} 6379 connected`);
  for (const pod of [first, second, third]) {
    const stale = (): Promise<string | undefined> =>
      pod.config("replica-serve-stale-data").then((found) => found["replica-serve-stale-data"]);
    await until("stale reads as the user has them", async () => (await stale()) === "yes");
    await until("the stopped process to be gone", async () => !(await pod.nobodyListens()));
    await until("all replicas known", async () => (await pod.monitored())["num-slaves"] === "2");
    await until("all sentinels known", async () => (await pod.monitored())["num-other-sentinels"] === "2");
  }
}

/**
 * The master's container restarts with an empty folder, and no sentinel notices (they are told to wait for a minute). Nothing may be lost, and the
 * restarted pod itself must see to it that somebody becomes master.
 */
async function restartOfAnEmptyMaster(pods: readonly [Pod, Pod, Pod]): Promise<Pod> {
  const [first] = pods;
  for (let key = 0; key < 100; key++) await first.call("set", `key${key}`, "value");
  expect(await first.call("wait", "2", "3000")).toBeDefined();
  const patience = (ms: string): Promise<string[][]> =>
    Promise.all(pods.map((pod) => pod.callSentinel("sentinel", "set", GROUP, "down-after-milliseconds", ms)));
  await patience("60000");
  first.redis.kill();
  await first.redis.ended;
  await rm(first.data, { recursive: true });
  await mkdir(first.data);
  first.startRedis([]);
  const started = Date.now();
  expect(await first.up()).toMatch(new RegExp(`^slave ${first.ip} ${NOBODY.port} `));
  const master = await until(
    "another master",
    async () => {
      for (const pod of pods) if ((await pod.role()) === "master") return pod;
      return undefined;
    },
    20_000,
  );
  expect(master).not.toBe(first);
  expect(Date.now() - started).toBeLessThan(15_000);
  expect(await first.redis.log()).toContain("for a failover of");
  await patience("2000");
  expect(await master.call("dbsize")).toEqual(["100"]);
  for (const pod of pods)
    if (pod !== master)
      await until(
        `${pod.ip} to follow the new master`,
        async () => (await pod.role()) === `slave ${master.ip} 6379 connected`,
        25_000,
      );
  for (const pod of pods) expect(await pod.call("dbsize")).toEqual(["100"]);
  for (const pod of pods) await until("all replicas known", async () => (await pod.monitored())["num-slaves"] === "2");
  return master;
}

/** The preStop hook of the master with a writer at work: it moves the role, and every acknowledged write is there afterwards. */
async function handOver(pods: readonly Pod[], master: Pod): Promise<void> {
  const replica = pods.find((pod) => pod !== master) ?? master;
  const idle = await replica.preStop();
  expect(idle).toMatchObject({ code: 0, log: "" });
  expect(idle.ms).toBeLessThan(2000);

  const writer = new Redis({
    host: master.ip,
    port: 6379,
    password: PASSWORD,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  writer.on("error", () => undefined);
  const acknowledged: string[] = [];
  const writing = (async (): Promise<void> => {
    for (let number = 0; ; number++) {
      const key = `write${number}`;
      await writer.set(key, "1");
      acknowledged.push(key);
    }
  })().catch(() => undefined);
  await until("some writes", async () => acknowledged.length > 100);
  const before = acknowledged.length;
  const hook = await master.preStop({ REDIS_HA_PRESTOP_HANDLERS_S: "1" });
  expect(hook.log).toContain("handing over by the sentinel");
  expect(hook.code).toBe(0);
  expect(hook.ms).toBeLessThan(10_000);
  await writing;
  writer.disconnect();
  expect(acknowledged.length).toBeGreaterThan(before);
  expect(await master.role()).toMatch(/^slave /);
  const next = await until("the next master", async () => {
    for (const pod of pods) if ((await pod.role()) === "master") return pod;
    return undefined;
  });
  const reader = new Redis({ host: next.ip, port: 6379, password: PASSWORD, lazyConnect: true });
  await reader.connect();
  const present = await reader.exists(...acknowledged);
  reader.disconnect();
  expect(present).toBe(acknowledged.length);

  // Gone, or alone: nothing to hold the pod for.
  master.redis.kill();
  await master.redis.ended;
  const dead = await master.preStop();
  expect(dead.code).toBe(0);
  expect(dead.ms).toBeLessThan(3000);
  for (const pod of pods) if (pod !== next) pod.redis.kill();
  await until("no replica", async () => (await next.info("replication")).connected_slaves === "0");
  await next.bed.publish([next]);
  const alone = await next.preStop();
  expect(alone).toMatchObject({ code: 0, log: expect.stringContaining("nothing to hand over to") });
}

async function lines(pod: Pod): Promise<number> {
  return (await pod.redis.log()).split("\n").length;
}
