/** The scripts that are run on both. Each returns what was seen, in words without addresses, ids or times; both worlds must have seen the same. */
import { REDIS_PORT, SENTINEL_PORT } from "../../model/names.ts";
import { type Bench, GROUP, info, type ServerName, until, watched } from "./bench.ts";

export type Script = (bench: Bench) => Promise<Readonly<Record<string, unknown>>>;

/** Facts of redis: roles, histories, refusals, pauses, connections. */
export const redis: Script = async (bench) => {
  const seen: Record<string, unknown> = {};
  const r1 = await bench.wire("r1");
  const r2 = await bench.wire("r2");
  const following = (wire: typeof r1) => () => info(wire, "master_link_status");
  seen["a write on a master"] = await r1.send("SET one 1");
  const alone = await info(r1, "master_replid");
  seen.REPLICAOF = await r2.send(`REPLICAOF ${bench.ip("r1")} ${REDIS_PORT}`);
  seen["the same again"] = await r2.send(`REPLICAOF ${bench.ip("r1")} ${REDIS_PORT}`);
  seen["the link comes up"] = await until(bench, "up", following(r2));
  seen["the role of the replica"] = await info(r2, "role");
  seen["the write was copied"] = (await info(r2, "db0")).split(",")[0];
  seen["the first replica begins a new history"] = (await info(r1, "master_replid")) !== alone;
  seen["and nobody remembers another"] = [await info(r1, "master_replid2"), await info(r1, "second_repl_offset")];
  seen["one history"] = (await info(r1, "master_replid")) === (await info(r2, "master_replid"));
  seen["a write on a replica"] = await r2.send("SET two 2");
  await r1.send("SET two 2");
  const offsets = async (): Promise<string> =>
    String((await info(r1, "master_repl_offset")) === (await info(r2, "slave_repl_offset")));
  seen["offsets become equal"] = await until(bench, "true", offsets);
  seen["the master counts its replica"] = await until(bench, /state=online/, () => info(r1, "slave0")).then(
    (text) => /state=(\w+)/.exec(text)?.[1],
  );

  const writer = await bench.wire("r1");
  const publisher = await bench.wire("r1");
  seen["CLIENT PAUSE"] = await r1.send("CLIENT PAUSE 20000 WRITE");
  seen["a write while paused"] = await writer.send("SET three 3", 300);
  seen["PUBLISH while paused"] = await publisher.send("PUBLISH channel text", 300);
  seen["PING while paused"] = await r1.send("PING");
  seen["REPLICAOF of the replica while its master is paused"] = await r2.send("REPLICAOF NO ONE");
  seen["the promoted remembers the history"] = (await info(r2, "master_replid2")) === (await info(r1, "master_replid"));
  seen["up to its own offset"] = Number(await info(r2, "second_repl_offset")) - Number(await info(r2, "master_repl_offset"));
  seen["a new history"] = (await info(r2, "master_replid")) !== (await info(r1, "master_replid"));
  seen["the old master follows"] = await r1.send(`REPLICAOF ${bench.ip("r2")} ${REDIS_PORT}`);
  seen["its link"] = await until(bench, "up", following(r1));
  seen["it has taken the new history"] = (await info(r1, "master_replid")) === (await info(r2, "master_replid"));
  seen["and kept its keys"] = (await info(r1, "db0")).split(",")[0];
  seen.UNPAUSE = await r1.send("CLIENT UNPAUSE");
  seen["the write that waited, now on a replica"] = await writer.late(1000);
  seen["no connection was closed by REPLICAOF"] = [r1.closed, r2.closed, writer.closed];

  seen["min-replicas-to-write"] = await r2.send("CONFIG SET min-replicas-to-write 1 min-replicas-max-lag 10");
  seen["as it was set"] = await r2.send("CONFIG GET min-replicas-to-write");
  seen["a write with one replica"] = await until(bench, "OK", () => r2.send("SET four 4"));
  await r1.send("REPLICAOF NO ONE");
  seen["a write without one"] = await until(bench, "-NOREPLICAS", () => r2.send("SET five 5"));
  seen["serve-stale no"] = await r1.send("CONFIG SET replica-serve-stale-data no");
  await r1.send("REPLICAOF 127.0.0.1 1");
  seen["PING of a replica of nobody"] = await until(bench, "-MASTERDOWN", () => r1.send("PING"));
  seen["a write there"] = await r1.send("SET six 6");
  seen["its link since"] = await info(r1, "master_link_status");
  seen.ROLE = (await r1.send("ROLE")).split(" ").slice(0, 3);

  const listener = await bench.wire("r1");
  await listener.send("SUBSCRIBE channel", 300);
  seen["CLIENT KILL normal"] = await r1.send("CLIENT KILL TYPE normal SKIPME yes");
  await bench.wait(300);
  seen["who is left"] = { self: !r1.closed, writer: !writer.closed, listener: !listener.closed };
  seen["CLIENT KILL pubsub"] = await r1.send("CLIENT KILL TYPE pubsub");
  await bench.wait(300);
  seen["the listener"] = listener.closed;
  return seen;
};

/** On a connection of its own: a failover by Sentinel closes all others. */
async function freshly(bench: Bench, server: ServerName, key: string): Promise<string> {
  const wire = await bench.wire(server);
  const value = await info(wire, key);
  wire.close();
  return value;
}

const SENTINELS: readonly ServerName[] = ["s1", "s2", "s3"];
const ALIEN = "a".repeat(40);
const OTHER = "b".repeat(40);

/** Facts of Sentinel: who meets whom, votes, hello messages, detection, the stages of a failover, forgetting. */
export const sentinel: Script = async (bench) => {
  const seen: Record<string, unknown> = {};
  const [r1, r2] = [await bench.wire("r1"), await bench.wire("r2")];
  await r2.send(`REPLICAOF ${bench.ip("r1")} ${REDIS_PORT}`);
  await until(bench, "up", () => info(r2, "master_link_status"));
  const wires = await Promise.all([bench.wire("s1"), bench.wire("s2"), bench.wire("s3")]);
  const [s1, s2, s3] = wires as [typeof r1, typeof r1, typeof r1];
  seen["an unknown group"] = (await s1.send(`SENTINEL MASTER ${GROUP}`)).slice(0, 4);
  for (const wire of wires) {
    seen.MONITOR = await wire.send(`SENTINEL MONITOR ${GROUP} ${bench.ip("r1")} ${REDIS_PORT} 2`);
    seen.SET = await wire.send(`SENTINEL SET ${GROUP} down-after-milliseconds 1500 failover-timeout 3000 parallel-syncs 1`);
    seen.DEBUG = await wire.send("SENTINEL DEBUG ping-period 500");
  }
  const all = async (key: string): Promise<string> => (await Promise.all(wires.map((wire) => watched(wire, key)))).join(" ");
  seen["they meet"] = await until(bench, "2 2 2", () => all("num-other-sentinels"));
  seen["they find the replica"] = await until(bench, "1 1 1", () => all("num-slaves"), 15_000);
  seen.quorum = (await s1.send(`SENTINEL CKQUORUM ${GROUP}`)).slice(0, 4);
  seen["config-epoch at first"] = await all("config-epoch");

  const ask = (wire: typeof s1, epoch: number, candidate: string): Promise<string> =>
    wire.send(`SENTINEL IS-MASTER-DOWN-BY-ADDR ${bench.ip("r1")} ${REDIS_PORT} ${epoch} ${candidate}`);
  seen["asked without a candidate"] = await ask(s3, 5, "*");
  seen["a vote"] = (await ask(s3, 5, ALIEN)) === `0 ${ALIEN} 5`;
  seen["another candidate, the same epoch"] = (await ask(s3, 5, OTHER)) === `0 ${ALIEN} 5`;
  seen["an older epoch"] = (await ask(s3, 4, OTHER)) === `0 ${ALIEN} 5`;
  seen["a newer epoch"] = (await ask(s3, 6, OTHER)) === `0 ${OTHER} 6`;
  seen["another address"] = await s3.send(`SENTINEL IS-MASTER-DOWN-BY-ADDR 10.255.0.1 ${REDIS_PORT} 7 ${ALIEN}`);

  const ids = await Promise.all(wires.map((wire) => wire.send("SENTINEL MYID")));
  const events = await bench.wire("s1");
  await events.send("PSUBSCRIBE *", 300);
  const hello = (to: typeof s1, from: number, epoch: number, master: ServerName): Promise<string> =>
    to.send(
      `PUBLISH __sentinel__:hello ${bench.ip(SENTINELS[from] as ServerName)},${SENTINEL_PORT},${ids[from]},${epoch},${GROUP},${bench.ip(master)},${REDIS_PORT},${epoch}`,
    );
  seen["a hello that is not newer"] = [await hello(s1, 1, 0, "r2"), (await watched(s1, "ip")) === bench.ip("r1")];
  await r2.send("REPLICAOF NO ONE");
  await r1.send(`REPLICAOF ${bench.ip("r2")} ${REDIS_PORT}`);
  seen["a newer one"] = [
    await hello(s1, 1, 9, "r2"),
    (await watched(s1, "ip")) === bench.ip("r2"),
    await watched(s1, "config-epoch"),
  ];
  await bench.wait(200);
  seen["what s1 tells"] = events.heard.filter((channel) => /switch-master|config-update/.test(channel));
  const addresses = async (): Promise<string> =>
    (await all("ip"))
      .split(" ")
      .map((ip) => (ip === bench.ip("r2") ? "r2" : "r1"))
      .join(" ");
  seen["the others hear of it"] = await until(bench, "r2 r2 r2", addresses);
  seen["the former master is a replica"] = await until(bench, "1 1 1", () => all("num-slaves"));

  seen.RESET = await s2.send(`SENTINEL RESET ${GROUP}`);
  seen["nobody is known then"] = await watched(s2, "num-other-sentinels");
  seen["the epoch stays"] = await watched(s2, "config-epoch");
  seen["the others come back"] = await until(bench, "2", () => watched(s2, "num-other-sentinels"));
  seen["so does the replica"] = await until(bench, "1", () => watched(s2, "num-slaves"), 15_000);

  // The votes above keep s3 from a failover of its own for 2 × failover-timeout.
  await until(bench, "up", () => freshly(bench, "r1", "master_link_status"));
  await bench.wait(7000);
  const told = await Promise.all(
    SENTINELS.map(async (name) => {
      const wire = await bench.wire(name);
      await wire.send("PSUBSCRIBE *", 300);
      return wire;
    }),
  );
  bench.kill("r2");
  seen["r1 is made master"] = await until(bench, "master", () => freshly(bench, "r1", "role"), 20_000);
  const back = async (): Promise<string> =>
    (await all("ip"))
      .split(" ")
      .map((ip) => (ip === bench.ip("r1") ? "r1" : "r2"))
      .join(" ");
  seen["all name it"] = await until(bench, "r1 r1 r1", back, 20_000);
  await bench.wait(500);
  const leader = told.find(({ heard }) => heard.includes("+elected-leader"));
  const STAGES =
    /^(\+sdown|\+odown|\+try-failover|\+elected-leader|\+failover-state-.*|\+selected-slave|\+promoted-slave|\+failover-end|\+switch-master)$/;
  const once = (channels: readonly string[]): string[] => [...new Set(channels.filter((channel) => STAGES.test(channel)))];
  seen["the leader's stages"] = once(leader?.heard ?? []);
  seen["the observers"] = told.filter((wire) => wire !== leader).map(({ heard }) => heard.includes("+switch-master"));
  seen["epochs agree"] = new Set((await all("config-epoch")).split(" ")).size;
  seen["FAILOVER without a good replica"] = await s1.send(`SENTINEL FAILOVER ${GROUP}`);
  return seen;
};

/** Facts of Sentinel with passwords, of a server that stands still for a moment or for longer, and of TILT. Nobody fails over: the quorum is out of reach. */
export const watching: Script = async (bench) => {
  const seen: Record<string, unknown> = {};
  const password = "the-password";
  const r2 = await bench.wire("r2");
  await r2.send(`REPLICAOF ${bench.ip("r1")} ${REDIS_PORT}`);
  seen["with masterauth the link comes up"] = await until(bench, "up", () => info(r2, "master_link_status"));
  const [s1, s2] = [await bench.wire("s1"), await bench.wire("s2")];
  const monitor = `SENTINEL MONITOR ${GROUP} ${bench.ip("r1")} ${REDIS_PORT} 3`;
  const options = "down-after-milliseconds 1500 failover-timeout 3000 parallel-syncs 1";
  seen.MONITOR = [await s1.send(monitor), await s2.send(monitor)];
  seen["with the password"] = await s1.send(`SENTINEL SET ${GROUP} auth-pass ${password} ${options}`);
  seen["without it"] = await s2.send(`SENTINEL SET ${GROUP} ${options}`);
  seen["who has it sees the master and the replica"] = await until(bench, "master 1", async () => {
    return `${await watched(s1, "flags")} ${await watched(s1, "num-slaves")}`;
  });
  const DOWN = "s_down,master,disconnected";
  seen["who has not sees it down"] = await until(bench, DOWN, () => watched(s2, "flags"));
  seen["and knows nobody"] = [await watched(s2, "num-slaves"), await watched(s2, "num-other-sentinels")];
  seen["and is known to nobody"] = await watched(s1, "num-other-sentinels");
  seen["auth-pass later"] = await s2.send(`SENTINEL SET ${GROUP} auth-pass ${password}`);
  seen["it sees the group"] = await until(bench, "master 1 1", async () => {
    return `${await watched(s2, "flags")} ${await watched(s2, "num-slaves")} ${await watched(s2, "num-other-sentinels")}`;
  });
  seen["and is seen"] = await until(bench, "1", () => watched(s1, "num-other-sentinels"));

  const seenDown = async (): Promise<string | undefined> =>
    (await until(bench, /^s_down/, () => watched(s1, "flags"))).split(",")[0];
  const saidDown = async (): Promise<string> =>
    (await s2.send(`SENTINEL IS-MASTER-DOWN-BY-ADDR ${bench.ip("r1")} ${REDIS_PORT} 0 *`)).split(" ")[0] ?? "";
  bench.freeze("r1");
  await bench.wait(700);
  bench.thaw("r1");
  await bench.wait(1500);
  seen["shorter than down-after"] = await watched(s1, "flags");
  bench.freeze("r1");
  seen["longer than that"] = await seenDown();
  seen["the other one says so when it is asked"] = await until(bench, "1", saidDown);
  bench.thaw("r1");
  seen["it goes on"] = await until(bench, "master", () => watched(s1, "flags"));

  bench.freeze("s2");
  await bench.wait(2500);
  bench.thaw("s2");
  seen["a sentinel that stood still is in TILT"] = await until(bench, "1", () => info(s2, "sentinel_tilt"));
  bench.freeze("r1");
  seen["the other one sees the master down"] = await seenDown();
  await bench.wait(1500);
  seen["in TILT nobody is down"] = await saidDown();
  bench.thaw("r1");
  Object.assign(seen, await refused(bench));
  return seen;
};

/** A master that has become a waiting server, as the boot script starts one: whoever followed it asks it again and again (ADR 0056). */
async function refused(bench: Bench): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {};
  const [r1, r2] = [await bench.wire("r1"), await bench.wire("r2")];
  seen["in step before"] = await until(bench, "up", () => info(r2, "master_link_status"));
  const history = await info(r2, "master_replid");
  const offset = Number(await info(r2, "slave_repl_offset"));
  await r1.send("CONFIG SET replica-serve-stale-data no");
  await r1.send("REPLICAOF 127.0.0.1 1");
  await bench.wait(1500);
  seen["a master that is to follow somebody keeps its replica"] = await info(r2, "master_link_status");
  await r1.send("CLIENT KILL TYPE replica");
  seen["cut off from it the replica seems to copy"] = await until(bench, "1", () => info(r2, "master_sync_in_progress"));
  seen["its link"] = await info(r2, "master_link_status");
  seen["it has kept its offset"] = Number(await info(r2, "slave_repl_offset")) >= offset;
  seen["and its history"] = (await info(r2, "master_replid")) === history;
  return seen;
}
