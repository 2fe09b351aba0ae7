/**
 * The compact language of the scenario files, expanded to full facts. One line a redis, one line a sentinel; everything not said is what a healthy
 * group has. README.md in this folder describes the words.
 */
import type {
  GroupFacts,
  MasterRecord,
  MemberFact,
  Monitored,
  OutsiderFact,
  PeerSeen,
  PodFact,
  RedisFact,
  RedisUp,
  SentinelFact,
  ServiceFact,
} from "../../model/facts.ts";
import { LABEL, NOBODY, SENTINEL_PORT } from "../../model/names.ts";
import { type GroupSettings, parseSettings } from "../../model/settings.ts";

/** All times of a scenario count from here. */
export const START = Date.parse("2026-01-01T00:00:00Z");

type Lines = Readonly<Record<string, string | null>>;

/** An un-injected redis of the same workload, as `POD: master 1000` */
export interface Outside {
  readonly [pod: string]: string;
}

export interface Service {
  readonly selects?: string;
  /** `POD epoch N [claimed] [ip=…] [volume=…] [replid=…] [since=…]` */
  readonly record?: string | null;
  /** the records before it, newest first, in the same words */
  readonly history?: readonly string[];
  readonly halted?: string;
  readonly handover?: string | null;
  readonly promote?: string | null;
  /** its resourceVersion; default 1 */
  readonly version?: number;
  /** the pods behind it, by its EndpointSlices; default: the one that it selects. A line of names, `nobody` for none */
  readonly endpoints?: string;
}

/** What one round says; a later round only says what has changed. null takes a line away. */
export interface Situation {
  /** since the start, as `250ms` or `12s` */
  readonly at?: string;
  readonly leading?: boolean;
  readonly settings?: Partial<GroupSettings>;
  readonly pods?: Lines;
  readonly redis?: Lines;
  readonly sentinels?: Lines;
  readonly service?: Service | null;
  readonly outside?: Outside;
  /** whether un-injected pods could not be listed */
  readonly outsideUnread?: boolean;
  readonly hint?: string | null;
  readonly epochHeard?: number;
  /** in how many ms kube-proxy takes up a change; absent: at once */
  readonly proxiesFreeInMs?: number;
}

/** `250ms`, `12s`, `2m` as ms; a bare number is ms. */
export function ms(text: string): number {
  const found = /^(-?[\d.]+)(ms|s|m)?$/.exec(text);
  if (found === null) throw new Error(`not a time: ${text}`);
  return Number(found[1]) * (found[2] === "s" ? 1000 : found[2] === "m" ? 60_000 : 1);
}

/** The words of a line: plain ones in order, and `key=value` ones. */
class Words {
  readonly plain: readonly string[];
  readonly #fields: ReadonlyMap<string, string>;

  constructor(line: string) {
    const words = line.split(/\s+/).filter((word) => word !== "");
    this.plain = words.filter((word) => !word.includes("="));
    this.#fields = new Map(words.flatMap((word) => (word.includes("=") ? [split(word)] : [])));
  }

  has = (word: string): boolean => this.plain.includes(word);
  text = (key: string): string | undefined => this.#fields.get(key);
  number = (key: string, otherwise: number): number => Number(this.#fields.get(key) ?? otherwise);
  time = (key: string): number | undefined => {
    const found = this.#fields.get(key);
    return found === undefined ? undefined : ms(found);
  };
}

function split(word: string): [string, string] {
  const at = word.indexOf("=");
  return [word.slice(0, at), word.slice(at + 1)];
}

function merged(before: Lines | undefined, after: Lines | undefined): Lines {
  return Object.fromEntries(Object.entries({ ...before, ...after }).filter(([, line]) => line !== null));
}

/** A round's situation on top of the one before it. */
export function change(before: Situation, after: Situation): Situation {
  return {
    ...before,
    ...after,
    settings: { ...before.settings, ...after.settings },
    pods: merged(before.pods, after.pods),
    redis: merged(before.redis, after.redis),
    sentinels: merged(before.sentinels, after.sentinels),
    ...(after.service === undefined || after.service === null ? {} : { service: { ...before.service, ...after.service } }),
  };
}

const DEFAULTS = parseSettings({ "redis-ha.io/cluster": "cache" }).settings;

/** A pod called a has 10.0.0.1, b has 10.0.0.2, … */
export function ipOf(name: string): string {
  return `10.0.0.${name.charCodeAt(name.length - 1) - 96}`;
}

export const nameAt = (ip: string): string => {
  const last = /^10\.0\.0\.(\d+)$/.exec(ip)?.[1];
  return last === undefined ? ip : String.fromCharCode(96 + Number(last));
};

export function expand(situation: Situation): GroupFacts {
  const lines = { pods: situation.pods ?? {}, redis: situation.redis ?? {}, sentinels: situation.sentinels ?? {} };
  const settings: GroupSettings = { ...DEFAULTS, ...situation.settings };
  const names = [...new Set([...Object.keys(lines.redis), ...Object.keys(lines.sentinels), ...Object.keys(lines.pods)])];
  const pods = names.map((name, slot) => podOf(name, slot, lines, settings));
  const at = START + ms(situation.at ?? "0");
  const living = pods.filter(({ ended, orphan }) => !ended && !orphan);
  const redisPods = living.filter(({ hasRedis }) => hasRedis);
  const sentinelPods = living.filter(({ hasSentinel }) => hasSentinel);
  const group = {
    ids: new Map(names.map((name) => [name, new Words(lines.sentinels[name] ?? "").text("id") ?? `id-${name}`])),
    lag: String(DEFAULTS.minReplicasMaxLagS),
    min: String(settings.minReplicasToWrite ?? (redisPods.filter(({ terminating }) => !terminating).length >= 3 ? 1 : 0)),
    redis: redisPods,
    sentinels: sentinelPods,
    settings,
  };
  const members = pods.map(
    (pod): MemberFact => ({
      pod,
      redis: redisOf(pod, lines.redis[pod.name], group, pods),
      sentinel: sentinelOf(pod, lines.sentinels[pod.name], group),
    }),
  );
  return {
    group: { namespace: "shop", cluster: "cache" },
    at,
    leading: situation.leading ?? true,
    settings,
    members,
    outsiders: Object.entries(situation.outside ?? {}).map(([name, line]) => outsiderOf(name, line, group, pods)),
    outsiderSelector: undefined,
    proxiesFreeInMs: situation.proxiesFreeInMs ?? 0,
    outsidersUnread: situation.outsideUnread ?? false,
    masterService: situation.service == null ? undefined : serviceOf(situation.service, pods),
    endpoints: endpointsOf(situation.service, pods),
    hint: hintOf(situation.hint),
    epochHeard: situation.epochHeard ?? 0,
  };
}

function endpointsOf(service: Service | null | undefined, pods: readonly PodFact[]): readonly string[] {
  const names = new Words(service?.endpoints ?? service?.selects ?? "").plain;
  return pods.filter(({ name }) => names.includes(name)).map(({ uid }) => uid);
}

function hintOf(line: string | null | undefined): GroupFacts["hint"] {
  if (line == null) return undefined;
  return { address: { ip: ipOf(line), port: 6379 }, ageMs: 10 };
}

function podOf(
  name: string,
  slot: number,
  lines: { pods: Lines; redis: Lines; sentinels: Lines },
  settings: GroupSettings,
): PodFact {
  const words = new Words(lines.pods[name] ?? "");
  const asked = words.text("role") ?? (lines.redis[name] === undefined ? "sentinel" : "auto");
  const role = asked === "master" || asked === "replica" || asked === "sentinel" ? asked : "auto";
  const priority = words.text("priority");
  const label = words.text("label");
  const downAfter = words.time("down-after");
  return {
    name,
    uid: words.text("uid") ?? `uid-${name}`,
    ip: words.has("no-ip") ? undefined : (words.text("ip") ?? ipOf(name)),
    port: 6379,
    node: "node-1",
    instance: `i-${name}`,
    role,
    hasRedis: lines.redis[name] !== undefined,
    hasSentinel: lines.sentinels[name] !== undefined,
    createdAt: START - 3_600_000 + (words.time("created") ?? 0),
    revision: words.text("revision") ?? "1",
    terminating: words.has("terminating"),
    // Short unless said: most scenarios are not about the second that kube-proxy takes.
    graceMs: ms(words.text("grace") ?? "5s"),
    ended: words.has("ended"),
    orphan: words.has("orphan"),
    started: true,
    containerEnded: words.has("container-ended"),
    restarts: words.number("restarts", 0) ?? 0,
    nodeGoing: words.has("node-going"),
    slot: words.has("slotless") ? undefined : words.number("slot", slot),
    roleLabel: label ?? (lines.redis[name]?.startsWith("master") === true ? "master" : "replica"),
    hasGate: words.has("gate"),
    inSync: words.has("in-sync") ? true : words.has("out-of-sync") ? false : undefined,
    volume: words.text("volume"),
    settings: {
      ...settings,
      role,
      ...(priority === undefined ? {} : { priority: Number(priority) }),
      ...(downAfter === undefined ? {} : { downAfterMs: downAfter }),
    },
    settingErrors: words.has("unreadable") ? ['redis-ha.io/quorum: "x" is not allowed'] : [],
  };
}

interface Group {
  /** the sentinels' identities by pod */
  readonly ids: ReadonlyMap<string, string>;
  readonly min: string;
  readonly lag: string;
  readonly redis: readonly PodFact[];
  readonly sentinels: readonly PodFact[];
  readonly settings: GroupSettings;
}

/** `master 1000`, `replica a 990 down=3s`, `replica nobody 0 keys=0 rdb=-60s`, `refused`, `timeout`, `-` */
function redisOf(pod: PodFact, line: string | null | undefined, group: Group, pods: readonly PodFact[]): RedisFact | undefined {
  if (line == null || line.trim() === "-") return undefined;
  const words = new Words(line);
  const [kind, of] = words.plain;
  if (kind === "refused" || kind === "timeout" || kind === "denied" || kind === "unknown") {
    const followed = words.text("followed");
    const was = followed === undefined ? (words.has("known") ? "replica nobody 1000" : undefined) : `replica ${followed} 1000`;
    const last = redisOf(pod, was, group, pods);
    return { state: kind, forMs: words.time("for") ?? 5, last: last?.state === "up" ? last : undefined };
  }
  if (kind !== "master" && kind !== "replica") throw new Error(`redis ${pod.name}: ${line}`);
  const offset = Number(words.plain.find((word) => /^\d+$/.test(word)) ?? 1000);
  const nobody = kind === "replica" && of === "nobody";
  const down = words.text("down") === "always" ? Number.MAX_SAFE_INTEGER : words.time("down");
  const master = {
    ip: nobody ? NOBODY.host : (pods.find(({ name }) => name === of)?.ip ?? ipOf(of ?? "z")),
    port: nobody ? NOBODY.port : 6379,
  };
  const parameters = {
    "min-replicas-to-write": words.text("min") ?? group.min,
    "min-replicas-max-lag": words.text("lag") ?? group.lag,
  };
  const file = (key: string): number => {
    const time = words.time(key);
    return time === undefined ? 0 : START + time;
  };
  const found: RedisUp = {
    state: "up",
    role: kind,
    master: kind === "master" ? undefined : master,
    linkUp: kind === "replica" && !nobody && down === undefined && !words.has("syncing"),
    syncing: words.has("syncing"),
    loading: words.has("loading"),
    cannotSave: words.has("cannot-save"),
    saves: !words.has("never-saves"),
    offset,
    replid: words.text("replid") ?? "history-1",
    replid2: words.text("replid2") ?? "",
    keys: words.number("keys", offset > 0 ? 100 : 0),
    parameters,
    runId: `run-${pod.name}`,
    replicas: [],
    report: words.has("no-report")
      ? undefined
      : {
          podUid: words.text("of-pod") ?? pod.uid,
          bootedAt: START + (words.time("boot") ?? -3_600_000),
          rdbModifiedAt: file("rdb"),
          rdbBytes: words.text("rdb") === undefined ? 0 : 1000,
          aofModifiedAt: file("aof"),
          aofBytes: words.text("aof") === undefined ? 0 : 1000,
          serveStaleData: true,
          appendonly: words.text("aof") !== undefined,
        },
    linkDownMs: down ?? (nobody ? Number.MAX_SAFE_INTEGER : 0),
  };
  return found;
}

function outsiderOf(name: string, line: string, group: Group, pods: readonly PodFact[]): OutsiderFact {
  const pod = podOf(name, 0, { pods: {}, redis: { [name]: line }, sentinels: {} }, group.settings);
  const redis = redisOf(pod, line, group, pods) ?? { state: "unknown", forMs: 0, last: undefined };
  const address = { ip: ipOf(name), port: 6379 };
  return { pod: name, uid: pod.uid, address, createdAt: pod.createdAt, terminating: false, redis, open: true };
}

const peer = (pod: PodFact, port: number, runId: string): PeerSeen => ({ runId, ip: pod.ip ?? "", port, flags: [] });

/** `a 7` (watches a with config-epoch 7), `idle` (watches nobody), `refused`, `timeout`; flags: tilt electing s_down; ghosts=10.0.0.9,10.0.0.8 */
function sentinelOf(pod: PodFact, line: string | null | undefined, group: Group): SentinelFact | undefined {
  if (line == null || line.trim() === "-") return undefined;
  const words = new Words(line);
  const [kind = "", epoch = "0"] = words.plain;
  if (kind === "refused" || kind === "timeout" || kind === "denied" || kind === "unknown") return { state: kind, forMs: 5 };
  const [ping, info] = [words.time("ping"), words.time("info")];
  const up = {
    state: "up",
    myId: words.text("id") ?? `id-${pod.name}`,
    tilt: words.has("tilt"),
    ...(ping === undefined ? {} : { pingPeriodMs: ping }),
    ...(info === undefined ? {} : { infoPeriodMs: info }),
  } as const;
  if (kind === "idle") return { ...up, master: undefined };
  const address = { ip: ipOf(kind), port: 6379 };
  const count = group.sentinels.filter(({ terminating }) => !terminating).length;
  const replicas = group.redis.filter(({ terminating }) => !terminating).length - 1;
  const knows = words.text("knows")?.split(",");
  const ghosts = (words.text("ghosts") ?? "").split(",").filter((ip) => ip !== "");
  const others = group.sentinels.filter((one) => one.name !== pod.name && (knows?.includes(one.name) ?? true));
  const master: Monitored = {
    address,
    configEpoch: Number(epoch),
    quorum: words.number("quorum", group.settings.quorum ?? Math.floor(count / 2) + 1),
    downAfterMs: words.number("down-after", group.settings.downAfterMs),
    failoverTimeoutMs: group.settings.failoverTimeoutMs,
    parallelSyncs: group.settings.parallelSyncs ?? Math.max(1, replicas),
    flags: ["master", ...(words.has("electing") ? ["failover_in_progress"] : []), ...(words.has("s_down") ? ["s_down"] : [])],
    sentinels: [
      ...others.map((one) => peer(one, SENTINEL_PORT, group.ids.get(one.name) ?? "")),
      ...group.sentinels.filter(({ name }) => words.text("former") === name).map((one) => peer(one, 0, "id-former")),
      ...ghosts.map((ip) => ({ runId: `id-${ip}`, ip, port: SENTINEL_PORT, flags: ["s_down"] })),
    ],
    replicas: [
      ...group.redis.filter(({ name, ip }) => name !== kind && ip !== undefined).map((one) => peer(one, 6379, `run-${one.name}`)),
      ...(words.text("ghost-replicas") ?? "")
        .split(",")
        .filter((ip) => ip !== "")
        .map((ip) => ({ runId: "", ip, port: 6379, flags: ["s_down"] })),
    ],
  };
  return { ...up, master };
}

function serviceOf(service: Service, pods: readonly PodFact[]): ServiceFact {
  return {
    name: "cache-master",
    uid: "service-uid",
    resourceVersion: String(service.version ?? 1),
    selector: {
      [LABEL.cluster]: "cache",
      [LABEL.instance]: service.selects === undefined ? "none-yet" : `i-${service.selects}`,
    },
    record: service.record == null ? undefined : recordOf(service.record, pods),
    history: (service.history ?? []).map((line) => recordOf(line, pods)),
    originalSelector: undefined,
    halted: service.halted,
    requests: {
      ...(service.handover == null ? {} : { handover: service.handover }),
      ...(service.promote == null ? {} : { promote: service.promote }),
    },
  };
}

function recordOf(line: string, pods: readonly PodFact[]): MasterRecord {
  const words = new Words(line);
  const name = words.plain[0] ?? "";
  const epoch = Number(words.plain.find((word) => /^\d+$/.test(word)) ?? 0);
  const pod = pods.find((one) => one.name === name);
  const volume = words.text("volume") ?? pod?.volume;
  return {
    pod: name,
    uid: words.text("uid") ?? pod?.uid ?? `uid-${name}`,
    instance: `i-${name}`,
    ip: words.text("ip") ?? ipOf(name),
    ...(volume === undefined ? {} : { volume }),
    epoch,
    since: new Date(START + (words.time("since") ?? -60_000)).toISOString(),
    reason: words.has("claimed") ? "WaitingForPods" : "MasterRouted",
    replid: words.text("replid") ?? "history-1",
  };
}
