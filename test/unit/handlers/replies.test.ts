/** Replies of real servers (redis 7.0, RESP2) as facts, and anything that is none. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { flatFields, infoFields, redisFact, sentinelFact } from "../../../handlers/observe/replies.ts";

const crlf = (text: string): string => text.trim().replaceAll("\n", "\r\n");

const MASTER = crlf(`
# Server
run_id:3b1f
# Persistence
loading:0
async_loading:0
# Replication
role:master
connected_slaves:2
slave0:ip=10.0.0.2,port=6379,state=online,offset=330508,lag=0
slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=7
master_replid:aaaa
master_replid2:0000
master_repl_offset:330536
second_repl_offset:-1
# Keyspace
db0:keys=12,expires=0,avg_ttl=0
db7:keys=3,expires=1,avg_ttl=0,subexpiry=0
`);

const replica = (more: string): string => crlf(`# Replication\nrole:slave\nmaster_host:10.0.0.1\nmaster_port:6379\n${more}`);

describe("a redis", () => {
  test("that is master", () => {
    expect(redisFact(MASTER, ["syslog-ident", "redis", "min-replicas-to-write", "1", "min-replicas-max-lag", "10"])).toEqual({
      state: "up",
      role: "master",
      master: undefined,
      linkUp: false,
      syncing: false,
      loading: false,
      cannotSave: false,
      saves: false,
      offset: 330536,
      replid: "aaaa",
      replid2: "0000",
      keys: 15,
      parameters: { "min-replicas-to-write": "1", "min-replicas-max-lag": "10" },
      runId: "3b1f",
      replicas: [
        { ip: "10.0.0.2", port: 6379, online: true, offset: 330508, lagS: 0 },
        { ip: "10.0.0.3", port: 6379, online: false, offset: 0, lagS: 7 },
      ],
      report: undefined,
      linkDownMs: 0,
    });
  });

  test("that follows", () => {
    const info = replica("master_link_status:up\nmaster_sync_in_progress:0\nslave_repl_offset:990\nmaster_repl_offset:1000");
    const expected = { role: "replica", master: { ip: "10.0.0.1", port: 6379 }, linkUp: true, offset: 990, linkDownMs: 0 };
    expect(redisFact(info, [])).toMatchObject(expected);
  });

  test("whose link is down since a while, or was never up since its start", () => {
    const down = (seconds: number) => replica(`master_link_status:down\nmaster_link_down_since_seconds:${seconds}`);
    expect(redisFact(down(7), [])).toMatchObject({ linkUp: false, linkDownMs: 7000 });
    expect(redisFact(down(-1), [])).toMatchObject({ linkUp: false, linkDownMs: Number.MAX_SAFE_INTEGER });
  });

  test("in the middle of a full copy, or loading", () => {
    expect(redisFact(replica("master_sync_in_progress:1"), [])).toMatchObject({ syncing: true });
    expect(redisFact("loading:1\r\nrole:master", [])).toMatchObject({ loading: true });
    expect(redisFact("async_loading:1\r\nrole:slave", [])).toMatchObject({ loading: true });
  });

  test.each([
    ["a snapshot failed", "rdb_last_bgsave_status:err", ["save", "60 1", "stop-writes-on-bgsave-error", "yes"], true],
    ["it goes on without", "rdb_last_bgsave_status:err", ["save", "60 1", "stop-writes-on-bgsave-error", "no"], false],
    [
      "snapshots are off, only a copy for a replica failed",
      "rdb_last_bgsave_status:err",
      ["save", "", "stop-writes-on-bgsave-error", "yes"],
      false,
    ],
    ["the last snapshot is good", "rdb_last_bgsave_status:ok", ["save", "60 1", "stop-writes-on-bgsave-error", "yes"], false],
    ["the append-only file could not be written", "aof_enabled:1\r\naof_last_write_status:err", ["save", ""], true],
    ["it has none any more", "aof_enabled:0\r\naof_last_write_status:err", ["save", ""], false],
  ])("that refuses writes for its disk or not: %s", (_, persistence, config, expected) => {
    expect(redisFact(`${MASTER}\r\n${persistence}`, config)).toMatchObject({ cannotSave: expected, parameters: {} });
  });

  test.each([
    ["save points", "aof_enabled:0", ["save", "3600 1"], true],
    ["an append-only file", "aof_enabled:1", ["save", ""], true],
    ["neither", "aof_enabled:0", ["save", ""], false],
  ])("that keeps its data on disk or not: %s", (_, persistence, config, expected) => {
    expect(redisFact(`${MASTER}\r\n${persistence}`, config)).toMatchObject({ saves: expected, parameters: {} });
  });

  test("with our boot report, which is no parameter", () => {
    const ident = "redis-ha uid=u1 boot=5 rdb=1:2 aof=3:4 stale=no aof-on=yes";
    const fact = redisFact(MASTER, ["syslog-ident", ident]);
    expect(fact?.parameters).toEqual({});
    expect(fact?.report).toEqual({
      podUid: "u1",
      bootedAt: 5,
      rdbModifiedAt: 1,
      rdbBytes: 2,
      aofModifiedAt: 3,
      aofBytes: 4,
      serveStaleData: false,
      appendonly: true,
    });
  });

  test("that may not read its configuration", () => {
    expect(redisFact(MASTER, new Error("ERR unknown command 'CONFIG'"))).toMatchObject({ role: "master", report: undefined });
  });

  test("that is none", () => {
    for (const reply of [
      "",
      "HTTP/1.1 400 Bad Request",
      undefined,
      null,
      7,
      [],
      new Error("x"),
      "# Sentinel\r\nsentinel_masters:1",
    ]) {
      expect(redisFact(reply, [])).toBeUndefined();
    }
  });
});

describe("a sentinel", () => {
  const master = [
    ...["name", "shop.cache", "ip", "10.0.0.1", "port", "6379", "flags", "master,s_down,failover_in_progress"],
    ...[
      "config-epoch",
      "7",
      "quorum",
      "2",
      "down-after-milliseconds",
      "5000",
      "failover-timeout",
      "10000",
      "parallel-syncs",
      "1",
    ],
  ];
  const other = ["name", "id-b", "ip", "10.0.0.2", "port", "26379", "runid", "id-b", "flags", "sentinel"];

  test("that watches the group", () => {
    expect(sentinelFact("id-a", "sentinel_tilt:0", master, [other], [])).toEqual({
      state: "up",
      myId: "id-a",
      tilt: false,
      master: {
        address: { ip: "10.0.0.1", port: 6379 },
        configEpoch: 7,
        quorum: 2,
        downAfterMs: 5000,
        failoverTimeoutMs: 10_000,
        parallelSyncs: 1,
        flags: ["master", "s_down", "failover_in_progress"],
        sentinels: [{ runId: "id-b", ip: "10.0.0.2", port: 26379, flags: ["sentinel"] }],
        replicas: [],
      },
    });
  });

  test("that leads a failover and has promoted: the new address, of which its s_down says nothing", () => {
    const lead = (current: unknown) => sentinelFact("id-a", "sentinel_tilt:0", master, [other], [], [], current).master;
    expect(lead(["10.0.0.3", "6380"])).toMatchObject({
      address: { ip: "10.0.0.3", port: 6380 },
      configEpoch: 7,
      flags: ["master", "failover_in_progress"],
    });
    for (const current of [["10.0.0.1", "6379"], null, new Error("ERR"), [], ["10.0.0.3", 6380]])
      expect(lead(current)).toMatchObject({
        address: { ip: "10.0.0.1", port: 6379 },
        flags: ["master", "s_down", "failover_in_progress"],
      });
  });

  test("that watches nobody, or is in TILT", () => {
    expect(
      sentinelFact("id-a", "sentinel_tilt:0", new Error("ERR No such master with that name"), [], []).master,
    ).toBeUndefined();
    expect(sentinelFact("id-a", "sentinel_tilt:1", master, [], []).tilt).toBe(true);
  });
});

test("nothing that a server may say is an exception", () => {
  fc.assert(
    fc.property(fc.anything(), fc.anything(), fc.anything(), (a, b, c) => {
      redisFact(a, b);
      sentinelFact(a, b, c, [], b, a, c);
      infoFields(a);
      flatFields(c);
    }),
  );
});

test("what has no text reads as absent", () => {
  const foreign = { toString: 0 };
  expect([...flatFields(["a", foreign, Symbol("b"), "c"])]).toEqual([
    ["a", ""],
    ["", "c"],
  ]);
  expect(redisFact([foreign], [])).toBeUndefined();
});

test("a value may hold colons, a list may be odd", () => {
  expect(infoFields("executable:/a:b\r\n# c:d\r\n:e").get("executable")).toBe("/a:b");
  expect([...flatFields(["a", "1", "b"])]).toEqual([["a", "1"]]);
});
