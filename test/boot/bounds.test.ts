/** Everything waits for a bounded time, and what is left of a process ends with it. */
import { readdir, readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ServerBinary, serverBinaries } from "../servers/install.ts";
import { Bed, PASSWORD } from "./bed.ts";
import { GROUP, type Pod } from "./pod.ts";
import { pause, until } from "./wait.ts";

let bed: Bed;
beforeEach(async () => {
  bed = await Bed.make((await serverBinaries())[0] as ServerBinary);
});
afterEach(() => bed.close());

async function group(): Promise<readonly [Pod, Pod]> {
  const [master, replica] = [await bed.pod("0"), await bed.pod("1")];
  await bed.publish([master, replica]);
  for (const pod of [master, replica]) {
    pod.startSentinel();
    pod.startRedis([]);
  }
  for (const pod of [master, replica]) await pod.up();
  await master.call("replicaof", "no", "one");
  await replica.call("replicaof", master.ip, "6379");
  for (const pod of [master, replica]) {
    await until("the sentinel", async () => (await pod.callSentinel("ping"))[0] === "PONG");
    await pod.callSentinel("sentinel", "monitor", GROUP, master.ip, "6379", "2");
    await pod.callSentinel(
      "sentinel",
      "set",
      GROUP,
      "auth-pass",
      PASSWORD,
      "down-after-milliseconds",
      "2000",
      "failover-timeout",
      "10000",
    );
  }
  await until("the link", async () => (await replica.role()).endsWith("connected"));
  return [master, replica];
}

test("names that cannot be resolved and sentinels that do not answer cost at most 3 s", async () => {
  const [pod, silent] = [await bed.pod(), await bed.pod("0")];
  silent.startSentinel();
  await until("the sentinel", async () => (await silent.callSentinel("ping"))[0] === "PONG");
  silent.sentinel.signal("SIGSTOP");
  await bed.publish([silent]);
  let started = Date.now();
  pod.startRedis([]);
  await pod.up();
  expect(Date.now() - started).toBeLessThan(3000);
  pod.kill();
  await pod.redis.ended;
  await bed.fake("getent", "sleep 30");
  started = Date.now();
  pod.startRedis([]);
  await pod.up();
  expect(Date.now() - started).toBeLessThan(3000);
  await until("the reason", async () => (await pod.redis.log()).includes("(0 answered)"));
});

test("a pod that starts beside a living master follows it at once; a dead one or a stranger it does not follow", async () => {
  const [master, replica] = await group();
  const third = await bed.pod("2");
  third.startRedis([]);
  await third.up();
  expect(await third.redis.log()).toContain(
    `starting as a replica of ${master.ip}:6379, the master of ${GROUP} (config-epoch 0)`,
  );
  await until("the link", async () => (await third.role()) === `slave ${master.ip} 6379 connected`);
  third.kill();
  replica.redis.kill();
  master.redis.kill();
  await third.redis.ended;
  third.startRedis([]);
  expect(await third.up()).toMatch(new RegExp(`^slave ${third.ip} 6378`));
  expect(await third.redis.log()).toContain("but it does not answer as one");
});

test("SIGTERM ends a waiting server at once, and nothing stays behind when a server is killed", async () => {
  const pod = await bed.pod();
  pod.startRedis([]);
  await pod.up();
  await until("the stopped process", () => pod.nobodyListens());
  let started = Date.now();
  pod.redis.signal("SIGTERM");
  expect(await pod.redis.ended).toBe(0);
  expect(Date.now() - started).toBeLessThan(2000);
  await until("the helper and the stopped process to end", async () => (await processes(pod)).length === 0, 5000);

  pod.startRedis([]);
  await pod.up();
  await until("the stopped process", () => pod.nobodyListens());
  pod.redis.signal("SIGKILL");
  started = Date.now();
  await until("the helper and the stopped process to end", async () => (await processes(pod)).length === 0, 5000);
});

test("preStop ends as soon as the handlers have moved the role", async () => {
  const [master, replica] = await group();
  const hook = master.preStop();
  await pause(500);
  await replica.call("replicaof", "no", "one");
  await master.call("replicaof", replica.ip, "6379");
  const { code, ms, log } = await hook;
  expect({ code, log }).toEqual({ code: 0, log: "" });
  expect(ms).toBeLessThan(3000);
});

test("preStop without any sentinel ends within its bound and leaves a master that takes writes", async () => {
  const [master, replica] = await group();
  for (const pod of [master, replica]) pod.sentinel.kill();
  const { code, ms, log } = await master.preStop({ REDIS_HA_GRACE_S: "9", REDIS_HA_PRESTOP_HANDLERS_S: "1" });
  expect(code).toBe(0);
  expect(ms).toBeLessThan(7000);
  expect(log).toContain("cannot hand over");
  expect(log).toContain("still the master after 4 s, ending nevertheless");
  expect(await master.call("set", "a", "b")).toEqual(["OK"]);
});

test("preStop with a replica that does not catch up takes writes again", async () => {
  const [master, replica] = await group();
  replica.redis.signal("SIGSTOP");
  const { code, ms } = await master.preStop({ REDIS_HA_GRACE_S: "8", REDIS_HA_PRESTOP_HANDLERS_S: "0" });
  replica.redis.signal("SIGCONT");
  expect(code).toBe(0);
  expect(ms).toBeLessThan(8000);
  expect(await master.call("set", "a", "b")).toEqual(["OK"]);
});

test("preStop asks for a failover only when every replica has everything: Sentinel may choose any of them", async () => {
  const [master, replica] = await group();
  const other = await bed.pod("2");
  other.startRedis([]);
  await other.up();
  await other.call("replicaof", master.ip, "6379");
  await until("the link", async () => (await other.role()).endsWith("connected"));
  other.redis.signal("SIGSTOP");
  await master.call("set", "last", "word");
  const hook = master.preStop({ REDIS_HA_GRACE_S: "25", REDIS_HA_PRESTOP_HANDLERS_S: "0" });
  try {
    // It would have been over long before.
    await pause(1800);
    expect([await master.role(), await replica.role()]).toEqual(["master", expect.stringContaining("slave")]);
  } finally {
    other.redis.signal("SIGCONT");
  }
  const { code, log } = await hook;
  expect({ code, log }).toEqual({ code: 0, log: expect.stringContaining("is the master of") });
  const heirs = [replica, other];
  const roles = await Promise.all(heirs.map(async (pod) => await pod.role()));
  const heir = heirs[roles.indexOf("master")];
  expect(await heir?.call("get", "last")).toEqual(["word"]);
});

test("preStop leaves it to connected handlers for longer, and to whoever has paused the writes", async () => {
  const pods = await group();
  const [master] = pods;
  // Sentinel takes a server that is paused for long for dead.
  for (const pod of pods) await pod.callSentinel("sentinel", "set", GROUP, "down-after-milliseconds", "60000");
  await master.call("client", "pause", "60000", "write");
  const handlers = connect({ host: master.ip, port: 6379 });
  handlers.write(`AUTH ${JSON.stringify(PASSWORD)}\r\nCLIENT SETNAME redis-ha\r\n`);
  await until("the name", async () => (await master.call("client", "list")).some((line) => line.includes(" name=redis-ha ")));
  const { code, ms, log } = await master.preStop({ REDIS_HA_GRACE_S: "11", REDIS_HA_PRESTOP_HANDLERS_S: "1" });
  handlers.destroy();
  expect(code).toBe(0);
  expect(ms).toBeGreaterThan(4000);
  expect(log.split("\n").filter((line) => line !== "")).toEqual([
    "redis-ha: prestop: writes are paused already: somebody else is handing over",
    "redis-ha: prestop: still the master after 6 s, ending nevertheless",
  ]);
});

test("preStop of the last master waits for new pods of the group, which copy from it, and then hands over to one", async () => {
  const [master, replica] = await group();
  replica.redis.kill();
  await until("no replica", async () => (await master.info("replication")).connected_slaves === "0");
  const hook = master.preStop({ REDIS_HA_GRACE_S: "35", REDIS_HA_PRESTOP_HANDLERS_S: "1" });
  // Longer than any patience with a group that is gone: the new pod's sentinel is in the Service, its redis not yet there.
  await pause(6000);
  expect(await master.role()).toBe("master");
  replica.startRedis([]);
  const { code, log } = await hook;
  expect({ code, log }).toEqual({ code: 0, log: expect.stringContaining("handing over by the sentinel") });
  expect(await replica.role()).toBe("master");
});

test("preStop follows a replica that was promoted, though the sentinel that did it died before it told the others", async () => {
  const [master, replica] = await group();
  for (const pod of [master, replica])
    await until("the sentinels to know each other", async () => (await pod.monitored())["num-other-sentinels"] === "1");
  await until("the replica to be known", async () => (await replica.monitored())["num-slaves"] === "1");
  expect(await replica.callSentinel("sentinel", "simulate-failure", "crash-after-promotion")).toEqual(["OK"]);
  const { code, log } = await master.preStop({ REDIS_HA_PRESTOP_HANDLERS_S: "0" });
  expect(await replica.role()).toBe("master");
  expect(await master.role(), "two masters that take writes").toMatch(new RegExp(`^slave ${replica.ip} 6379 `));
  expect({ code, log }).toEqual({ code: 0, log: expect.stringContaining(`${replica.ip}:6379 is the master`) });
});

test("preStop fences a master that was not told that another one was chosen", async () => {
  const [master, replica] = await group();
  for (const pod of [master, replica])
    await until("the sentinels to know each other", async () => (await pod.monitored())["num-other-sentinels"] === "1");
  await until("the replica to be known", async () => (await replica.monitored())["num-slaves"] === "1");
  await replica.seesElectable();
  expect(await replica.callSentinel("sentinel", "failover", GROUP)).toEqual(["OK"]);
  await until("the new master", async () => (await replica.monitored()).ip === replica.ip);
  expect(await master.role()).toBe("master");
  const { code, log } = await master.preStop({ REDIS_HA_PRESTOP_HANDLERS_S: "0" });
  expect(code).toBe(0);
  expect(log).toContain(`prestop: ${replica.ip}:6379 is the master of ${GROUP} now`);
  expect(await master.role()).toMatch(new RegExp(`^slave ${replica.ip} 6379 `));
});

test("a server that is too old is refused", async () => {
  const pod = await bed.pod();
  await bed.fake(
    "redis-server",
    'echo "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=a3fdef44459b3ad6"',
  );
  const running = pod.startRedis([]);
  expect(await running.ended).toBe(1);
  expect(await running.log()).toContain("redis-ha needs Redis 6.2 or newer");
});

test("a folder that cannot be written is said in plain words", async () => {
  const pod = await bed.pod();
  const running = pod.startRedis([], { env: { REDIS_HA_HOME: "/proc" } });
  expect(await running.ended).not.toBe(0);
});

test("the entrypoint of the image gives a sentinel of root its user", async () => {
  const pod = await bed.pod("0");
  await bed.fake("docker-entrypoint.sh", 'echo "entrypoint: $*" >&2; exec "$@"');
  pod.startSentinel();
  await until("the sentinel", async () => (await pod.callSentinel("ping"))[0] === "PONG");
  const said = await pod.sentinel.log();
  if (process.getuid?.() === 0)
    expect(said).toContain(`entrypoint: redis-server ${join(pod.home, "sentinel/sentinel.conf")} --sentinel`);
});

/** Living processes that were started with the folder of a pod. */
async function processes(pod: Pod): Promise<string[]> {
  const found: string[] = [];
  for (const id of await readdir("/proc")) {
    if (!/^\d+$/.test(id)) continue;
    const environment = await readFile(`/proc/${id}/environ`, "latin1").catch(() => "");
    if (environment.split("\0").includes(`REDIS_HA_HOME=${pod.home}`)) found.push(id);
  }
  return found;
}
