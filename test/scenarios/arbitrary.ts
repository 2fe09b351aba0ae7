/** Arbitrary facts for the properties: plausible groups with some things wrong, and sheer nonsense. */
import fc from "fast-check";
import type {
  Address,
  GroupFacts,
  MasterRecord,
  MemberFact,
  OutsiderFact,
  PodFact,
  RedisFact,
  SentinelFact,
  ServiceFact,
} from "../../model/facts.ts";
import { LABEL, NOBODY } from "../../model/names.ts";
import type { Memory } from "../../model/plan.ts";
import { parseSettings } from "../../model/settings.ts";
import { START } from "./expand.ts";

const DEFAULTS = parseSettings({ "redis-ha.io/cluster": "cache" }).settings;
const NAMES = ["a", "b", "c", "d", "e", "f"];
/** few addresses, so that members share one, have another's, or none */
const IPS = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.9.9"];
const HISTORIES = ["history-1", "history-2", "history-3", ""];
const rarely = fc.integer({ min: 0, max: 5 }).map((n) => n === 0);
const often = fc.integer({ min: 0, max: 5 }).map((n) => n > 0);
const epoch = fc.integer({ min: 0, max: 4 });
const offset = fc.constantFrom(0, 1, 900, 1000, 1000, 5000);
const address: fc.Arbitrary<Address> = fc.record({ ip: fc.constantFrom(...IPS), port: fc.constantFrom(6379, 6379, 6379, 6380) });
const master = fc.oneof(
  { weight: 4, arbitrary: address },
  { weight: 1, arbitrary: fc.constant<Address>({ ip: NOBODY.host, port: NOBODY.port }) },
);

const down = fc.record({
  state: fc.constantFrom("refused", "timeout", "denied", "unknown"),
  forMs: fc.nat(10_000),
  last: fc.constant(undefined),
});

function redisOf(uid: string): fc.Arbitrary<RedisFact | undefined> {
  const up = fc.record({
    state: fc.constant("up"),
    role: fc.constantFrom("master", "replica", "replica"),
    master: fc.option(master, { nil: undefined }),
    linkUp: fc.boolean(),
    syncing: rarely,
    loading: rarely,
    cannotSave: rarely,
    saves: fc.boolean(),
    offset,
    replid: fc.constantFrom(...HISTORIES),
    replid2: fc.constantFrom(...HISTORIES),
    keys: fc.constantFrom(0, 0, 50, 100),
    parameters: fc.constantFrom({}, { "min-replicas-to-write": "1", "min-replicas-max-lag": "10" }),
    runId: fc.constant(`run-${uid}`),
    replicas: fc.constant([]),
    report: fc.option(
      fc.record({
        podUid: fc.oneof({ weight: 9, arbitrary: fc.constant(uid) }, { weight: 1, arbitrary: fc.constant("uid-other") }),
        bootedAt: fc.integer({ min: START - 100_000, max: START }),
        rdbModifiedAt: fc.constantFrom(0, START - 60_000, START - 30_000),
        rdbBytes: fc.constantFrom(0, 1000),
        aofModifiedAt: fc.constantFrom(0, START - 50_000),
        aofBytes: fc.constantFrom(0, 1000),
        serveStaleData: fc.boolean(),
        appendonly: fc.boolean(),
      }),
      { nil: undefined },
    ),
    linkDownMs: fc.constantFrom(0, 0, 5000, 60_000, Number.MAX_SAFE_INTEGER),
  });
  return fc.oneof(
    { weight: 6, arbitrary: up as fc.Arbitrary<RedisFact> },
    { weight: 3, arbitrary: down as fc.Arbitrary<RedisFact> },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}

const peer = fc.record({
  runId: fc.constantFrom("id-a", "id-b", "id-c", "id-x", ""),
  ip: fc.constantFrom(...IPS, "10.0.9.8"),
  port: fc.constantFrom(26379, 6379),
  flags: fc.constant(["sentinel"]),
});
const monitored = fc.record({
  address,
  configEpoch: epoch,
  quorum: fc.constantFrom(1, 2),
  downAfterMs: fc.constantFrom(5000, 3000),
  failoverTimeoutMs: fc.constant(10_000),
  parallelSyncs: fc.constantFrom(1, 2),
  flags: fc.constantFrom(["master"], ["master"], ["master"], ["master", "s_down"], ["master", "failover_in_progress"]),
  sentinels: fc.array(peer, { maxLength: 3 }),
  replicas: fc.array(peer, { maxLength: 3 }),
});

function sentinelOf(uid: string): fc.Arbitrary<SentinelFact | undefined> {
  const up = fc.record({
    state: fc.constant("up"),
    myId: fc.constant(`id-${uid}`),
    tilt: rarely,
    master: fc.option(monitored, { nil: undefined, freq: 4 }),
  });
  return fc.oneof(
    { weight: 6, arbitrary: up as fc.Arbitrary<SentinelFact> },
    { weight: 2, arbitrary: down as fc.Arbitrary<SentinelFact> },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}

function podOf(name: string, uid: string): fc.Arbitrary<PodFact> {
  const ip = IPS[NAMES.indexOf(name)];
  return fc.record({
    name: fc.constant(name),
    uid: fc.constant(uid),
    ip: fc.oneof(
      { weight: 8, arbitrary: fc.constant(ip) },
      { weight: 1, arbitrary: fc.constant(undefined) },
      { weight: 1, arbitrary: fc.constantFrom(...IPS) },
    ),
    port: fc.constant(6379),
    node: fc.constantFrom("node-1", undefined),
    instance: fc.constant(`i-${name}`),
    role: fc.constantFrom("auto", "auto", "master", "replica"),
    hasRedis: often,
    hasSentinel: often,
    createdAt: fc.integer({ min: START - 100_000, max: START }),
    revision: fc.constantFrom("1", "2", ""),
    terminating: rarely,
    graceMs: fc.constantFrom(0, 30_000),
    ended: rarely,
    orphan: rarely,
    started: fc.constant(true),
    containerEnded: rarely,
    restarts: fc.nat(3),
    nodeGoing: rarely,
    slot: fc.option(fc.nat(4), { nil: undefined }),
    roleLabel: fc.constantFrom("master", "replica", undefined),
    hasGate: fc.boolean(),
    inSync: fc.option(fc.boolean(), { nil: undefined }),
    volume: fc.option(fc.constantFrom("data-0", "data-1"), { nil: undefined }),
    settings: fc.record({ priority: fc.constantFrom(0, 50, 100, 100) }).map((given) => ({ ...DEFAULTS, ...given })),
    settingErrors: fc.constant([]),
  });
}

function memberOf(name: string): fc.Arbitrary<MemberFact> {
  const uid = `uid-${name}`;
  return podOf(name, uid).chain((pod) =>
    fc.record({
      pod: fc.constant(pod),
      redis: pod.hasRedis ? redisOf(uid) : fc.constant(undefined),
      sentinel: pod.hasSentinel ? sentinelOf(uid) : fc.constant(undefined),
    }),
  );
}

/** Its address may be one that a member follows. */
const outsider: fc.Arbitrary<OutsiderFact> = fc.record({
  pod: fc.constant("plain"),
  uid: fc.constant("uid-plain"),
  address: fc.record({ ip: fc.constantFrom("10.0.9.9", "10.0.9.7"), port: fc.constant(6379) }),
  createdAt: fc.integer({ min: START - 100_000, max: START }),
  terminating: rarely,
  redis: redisOf("uid-plain").map((redis) => redis ?? { state: "unknown" as const, forMs: 0, last: undefined }),
  open: fc.boolean(),
});

const record: fc.Arbitrary<MasterRecord> = fc
  .record({
    name: fc.constantFrom(...NAMES),
    ip: fc.constantFrom(...IPS, ""),
    epoch,
    replid: fc.constantFrom(...HISTORIES),
    volume: fc.option(fc.constantFrom("data-0", "data-9"), { nil: undefined }),
    reason: fc.constantFrom("MasterRouted", "FailedOver", "WaitingForPods"),
    age: fc.nat(60_000),
  })
  .map(({ name, ip, epoch, replid, volume, reason, age }) => ({
    pod: name,
    uid: `uid-${name}`,
    instance: `i-${name}`,
    ip,
    epoch,
    since: new Date(START - age).toISOString(),
    reason,
    replid,
    ...(volume === undefined ? {} : { volume }),
  }));

const service: fc.Arbitrary<ServiceFact> = fc.record({
  name: fc.constant("cache-master"),
  uid: fc.constant("service"),
  resourceVersion: fc.constant("1"),
  selector: fc.constantFrom(...NAMES).map((name) => ({ [LABEL.instance]: `i-${name}` })),
  record: fc.option(record, { nil: undefined, freq: 5 }),
  history: fc.constant([]),
  originalSelector: fc.constant(undefined),
  halted: fc.constantFrom(undefined, undefined, "HaltedDataMissing: x"),
  requests: fc.constantFrom({}, {}, {}, { handover: "a" }, { handover: "any" }, { promote: "b" }, { promote: "?" }),
});

/** Facts of one group: one to six pods. */
const anything: fc.Arbitrary<GroupFacts> = fc.subarray(NAMES, { minLength: 1 }).chain((names) =>
  fc.record({
    group: fc.constant({ namespace: "shop", cluster: "cache" }),
    at: fc.constant(START),
    leading: often,
    settings: fc
      .record({
        recovery: fc.constantFrom<("auto" | "manual")[]>("auto", "auto", "manual"),
        promotion: fc.constantFrom<("direct" | "sentinel")[]>("direct", "direct", "sentinel"),
        recoveryWaitMs: fc.constantFrom(0, 120_000),
      })
      .map((given) => ({ ...DEFAULTS, ...given })),
    members: fc.tuple(...names.map(memberOf)),
    outsiders: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.tuple(outsider) }),
    outsidersUnread: rarely,
    outsiderSelector: fc.constant(undefined),
    proxiesFreeInMs: fc.constantFrom(0, 0, 700),
    masterService: fc.option(service, { nil: undefined, freq: 9 }),
    endpoints: fc.subarray(names.map((name) => `uid-${name}`)),
    hint: fc.option(fc.record({ address, ageMs: fc.nat(3000) }), { nil: undefined, freq: 1 }),
    epochHeard: epoch,
  }),
);

/** All were started anew and wait, and the sentinels know nobody: where a recovery has to choose. Anything else about them is as it comes. */
const outage: fc.Arbitrary<GroupFacts> = anything.map((given) => ({
  ...given,
  leading: true,
  hint: undefined,
  members: given.members.map(({ pod, redis, sentinel }) => ({
    pod: { ...pod, ended: false },
    redis:
      redis?.state === "up"
        ? { ...redis, role: "replica" as const, master: { ip: NOBODY.host, port: NOBODY.port }, linkUp: false, loading: false }
        : redis,
    sentinel: sentinel?.state === "up" ? { ...sentinel, tilt: false, master: undefined } : sentinel,
  })),
}));

export const facts: fc.Arbitrary<GroupFacts> = fc.oneof({ weight: 2, arbitrary: anything }, { weight: 1, arbitrary: outage });

export const memory: fc.Arbitrary<Memory> = fc.record({
  slotsGiven: fc.constant(new Map()),
  handoverWanted: fc.constantFrom(undefined, { cause: "adoption", since: START - 5000 }),
  previous: fc.constant(undefined),
  inheritedFor: fc.constant(undefined),
  master: fc.option(
    fc.record({
      uid: fc.constantFrom(...NAMES).map((name) => `uid-${name}`),
      address,
      epoch,
      replid: fc.constantFrom(...HISTORIES),
      seenAt: fc.integer({ min: START - 100_000, max: START }),
    }),
    { nil: undefined },
  ),
  lostAt: fc.constantFrom(undefined, START, START - 10_000, START - 200_000),
  firstSeenAt: fc.constantFrom(START, START - 10_000, START - 200_000),
  leadingSince: fc.constantFrom(undefined, START - 1000),
  ghostSince: fc.constant(new Map<string, number>()),
  quorumLost: fc.boolean(),
  sentinelRestartedAt: fc.constant(0),
  forgotAt: fc.constantFrom(0, START - 1000),
  handoverNotBefore: fc.constantFrom(0, START + 100),
  promotionsTried: fc.nat(12),
  promoteNotBefore: fc.constantFrom(0, 0, START + 100),
  endpointsLate: fc.option(
    fc.record({ uid: fc.constantFrom(...NAMES).map((name) => `uid-${name}`), since: fc.constantFrom(START, START - 5000) }),
    { nil: undefined },
  ),
  moved: fc.constant(undefined),
});
