/** Reads the text and flat-array replies of Redis and Sentinel into facts. Pure; anything unexpected reads as absent, never as an exception. */
import { parseBootReport } from "../../model/boot-report.ts";
import type { Address, Monitored, PeerSeen, RedisUp, ReplicaSeen, SentinelUp } from "../../model/facts.ts";

/** Parameters (CONFIG GET) that decide whether a server which can't save refuses writes. */
export const SAVING: readonly string[] = ["save", "stop-writes-on-bgsave-error"];

/** A reply's text: of a list, an error or anything else that is no scalar it is empty (String() of a foreign object may throw). */
function text(reply: unknown): string {
  if (typeof reply === "string") return reply;
  return typeof reply === "number" || typeof reply === "bigint" || typeof reply === "boolean" ? String(reply) : "";
}

/** `key:value` lines of INFO. */
export function infoFields(reply: unknown): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text(reply).split("\n")) {
    const at = line.indexOf(":");
    if (at > 0 && !line.startsWith("#")) fields.set(line.slice(0, at), line.slice(at + 1).trim());
  }
  return fields;
}

/** A flat [key, value, key, value] reply (RESP2) as a map. */
export function flatFields(reply: unknown): Map<string, string> {
  const fields = new Map<string, string>();
  if (!Array.isArray(reply)) return fields;
  for (let at = 0; at + 1 < reply.length; at += 2) fields.set(text(reply[at]), text(reply[at + 1]));
  return fields;
}

function number(text: string | undefined): number {
  const value = Number(text);
  return text === undefined || !Number.isFinite(value) ? 0 : value;
}

/** `slave0:ip=10.0.0.1,port=6379,state=online,offset=1,lag=0` */
function replicasOf(fields: ReadonlyMap<string, string>): ReplicaSeen[] {
  const found: ReplicaSeen[] = [];
  for (const [key, value] of fields) {
    if (!/^slave\d+$/.test(key)) continue;
    const parts = new Map(value.split(",").map((part) => [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)]));
    found.push({
      ip: parts.get("ip") ?? "",
      port: number(parts.get("port")),
      online: parts.get("state") === "online",
      offset: number(parts.get("offset")),
      lagS: number(parts.get("lag")),
    });
  }
  return found;
}

/** `db0:keys=12,expires=0,avg_ttl=0` summed over all databases. */
function keysOf(fields: ReadonlyMap<string, string>): number {
  let keys = 0;
  for (const [key, value] of fields) if (/^db\d+$/.test(key)) keys += number(/keys=(\d+)/.exec(value)?.[1]);
  return keys;
}

/**
 * The server refuses writes with MISCONF: a snapshot failed, it has save points and stops for that, or its append-only file could not be written
 * (server.c, writeCommandsDeniedByDiskError).
 */
function cannotSave(info: ReadonlyMap<string, string>, config: ReadonlyMap<string, string>): boolean {
  const stopsForSnapshots = config.get("stop-writes-on-bgsave-error") === "yes" && (config.get("save") ?? "") !== "";
  const snapshot = stopsForSnapshots && info.get("rdb_last_bgsave_status") === "err";
  return snapshot || (info.get("aof_enabled") === "1" && info.get("aof_last_write_status") === "err");
}

/** Seconds as ms. -1: the link was never up since this process started, which is longer than anything. */
function downFor(seconds: string | undefined): number {
  const value = number(seconds);
  return value < 0 ? Number.MAX_SAFE_INTEGER : value * 1000;
}

/** INFO (default sections) and CONFIG GET replies of a redis as a fact; undefined when the INFO is not one. */
export function redisFact(info: unknown, config: unknown): RedisUp | undefined {
  const fields = infoFields(info);
  const role = fields.get("role");
  if (role === undefined) return undefined;
  const parameters = flatFields(config);
  const report = parseBootReport(parameters.get("syslog-ident") ?? "");
  const unsaved = cannotSave(fields, parameters);
  const saves = (parameters.get("save") ?? "") !== "" || fields.get("aof_enabled") === "1";
  for (const name of ["syslog-ident", ...SAVING]) parameters.delete(name);
  const isMaster = role === "master";
  const host = fields.get("master_host");
  const linkUp = fields.get("master_link_status") === "up";
  return {
    state: "up",
    role: isMaster ? "master" : "replica",
    master: isMaster || host === undefined ? undefined : { ip: host, port: number(fields.get("master_port")) },
    linkUp,
    syncing: fields.get("master_sync_in_progress") === "1",
    loading: fields.get("loading") === "1" || fields.get("async_loading") === "1",
    cannotSave: unsaved,
    saves,
    offset: isMaster ? number(fields.get("master_repl_offset")) : number(fields.get("slave_repl_offset")),
    replid: fields.get("master_replid") ?? "",
    replid2: fields.get("master_replid2") ?? "",
    keys: keysOf(fields),
    parameters: Object.fromEntries(parameters),
    runId: fields.get("run_id") ?? "",
    replicas: replicasOf(fields),
    report,
    linkDownMs: isMaster || linkUp ? 0 : downFor(fields.get("master_link_down_since_seconds")),
  };
}

function peers(reply: unknown): PeerSeen[] {
  if (!Array.isArray(reply)) return [];
  return reply.map((entry) => {
    const fields = flatFields(entry);
    return {
      runId: fields.get("runid") ?? "",
      ip: fields.get("ip") ?? "",
      port: number(fields.get("port")),
      flags: (fields.get("flags") ?? "").split(","),
    };
  });
}

/**
 * The sentinel that leads a failover says the old address with the new config-epoch from the moment when its candidate is master until all replicas follow, which
 * may take failover-timeout (sentinel.c: sentinelRefreshInstanceInfo sets config_epoch at once, the address changes in sentinelFailoverSwitchToPromotedSlave).
 * GET-MASTER-ADDR-BY-NAME is ahead of that (sentinelGetCurrentMasterAddress). Undefined: no such moment.
 */
function promotedBySentinel(fields: ReadonlyMap<string, string>, current: unknown): Address | undefined {
  if (fields.get("flags")?.includes("failover_in_progress") !== true || !Array.isArray(current)) return undefined;
  const [ip, port] = current;
  if (typeof ip !== "string" || typeof port !== "string" || ip === fields.get("ip")) return undefined;
  return { ip, port: number(port) };
}

/** Replies of SENTINEL MYID, INFO sentinel, SENTINEL MASTER / SENTINELS / REPLICAS / DEBUG. `master` is an Error where the group is not watched. */
export function sentinelFact(
  myId: unknown,
  info: unknown,
  master: unknown,
  sentinels: unknown,
  replicas: unknown,
  debug?: unknown,
  current?: unknown,
): SentinelUp {
  const fields = flatFields(master);
  const said = (fields.get("flags") ?? "").split(",");
  const promoted = promotedBySentinel(fields, current);
  // That the old master is down says nothing of the new one.
  const flags = promoted === undefined ? said : said.filter((flag) => flag !== "s_down" && flag !== "o_down");
  const address = promoted ?? { ip: fields.get("ip") ?? "", port: number(fields.get("port")) };
  const monitored: Monitored | undefined =
    address.ip === ""
      ? undefined
      : {
          address,
          configEpoch: number(fields.get("config-epoch")),
          quorum: number(fields.get("quorum")),
          downAfterMs: number(fields.get("down-after-milliseconds")),
          failoverTimeoutMs: number(fields.get("failover-timeout")),
          parallelSyncs: number(fields.get("parallel-syncs")),
          flags,
          sentinels: peers(sentinels),
          replicas: peers(replicas),
        };
  const periods = new Map([...flatFields(debug)].map(([key, value]) => [key.toLowerCase(), number(value)]));
  const [pingPeriodMs, infoPeriodMs] = [periods.get("ping-period"), periods.get("info-period")];
  return {
    state: "up",
    myId: text(myId),
    tilt: infoFields(info).get("sentinel_tilt") === "1",
    ...(pingPeriodMs === undefined ? {} : { pingPeriodMs }),
    ...(infoPeriodMs === undefined ? {} : { infoPeriodMs }),
    master: monitored,
  };
}
