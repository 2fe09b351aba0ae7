/** A group's view → what the page is told of it. Pure; concludes nothing that the policies have not concluded. */
import type { Timeline } from "../../handlers/act/timeline.ts";
import type { GroupView } from "../../handlers/group.ts";
import { CLAIMED } from "../../handlers/policies/route.ts";
import { findTruth, type Truth } from "../../handlers/policies/truth.ts";
import { majority, memberAt, redisMembers, redisUp, sentinelMembers, sentinelsUp } from "../../handlers/policies/view.ts";
import type { Address, GroupFacts, MasterRecord, MemberFact, RedisFact, SentinelFact } from "../../model/facts.ts";
import { LABEL, masterServiceName, NOBODY } from "../../model/names.ts";
import { HALTED, type Reason, WARNING } from "../../model/reasons.ts";
import type {
  Change,
  Down,
  GroupDetail,
  GroupRow,
  GroupState,
  Level,
  MemberLine,
  RedisLine,
  Reign,
  SentinelLine,
} from "../wire.ts";

/** A group's loop reads its facts every second; older ones than this are not the present any more, ms. */
export const STALE_MS = 5000;

/** `loop` alone is enough of a group's view: what its loop last read, decided and recorded. */
export type Seen = Pick<GroupView, "group" | "plan" | "facts" | "halted" | "timelines">;

/** The level of a reason, as the log has it. */
export function levelOf(reason: string): Level {
  const known = reason as Reason;
  if (HALTED.has(known)) return "halted";
  return WARNING.has(known) ? "warning" : "info";
}

/** @param now ms since 1970 */
export function rowOf({ group, plan, facts, halted }: Seen, now: number): GroupRow {
  const blocked = halted !== undefined && HALTED.has(halted.reason);
  if (facts === undefined) {
    return { ...group, state: blocked ? "halted" : "unknown", redis: { up: 0, all: 0 }, sentinels: { up: 0, all: 0, needed: 0 } };
  }
  const truth = findTruth(facts);
  const record = facts.masterService?.record;
  const lags = facts.members.flatMap((member) => lagBytes(member.redis, truth) ?? []);
  const confirmed = truth.kind === "confirmed" ? truth.member.pod : undefined;
  return {
    ...group,
    state: blocked ? "halted" : stateOf(plan?.state ?? "unknown", facts, truth),
    ...(now - facts.at > STALE_MS ? { staleSince: facts.at } : {}),
    ...(confirmed === undefined ? {} : { master: confirmed.name }),
    ...(confirmed !== undefined && record?.uid === confirmed.uid && record.reason !== CLAIMED ? { since: record.since } : {}),
    redis: { up: redisUp(facts).length, all: redisMembers(facts).length },
    sentinels: { up: sentinelsUp(facts).length, all: sentinelMembers(facts).length, needed: majority(facts) },
    ...(lags.length === 0 ? {} : { lagBytes: Math.max(...lags) }),
  };
}

/** Only the leader decides that a group is halted; the others read it on the Service. */
function stateOf(planned: GroupState, facts: GroupFacts, truth: Truth): GroupState {
  const halted = facts.masterService?.halted !== undefined && truth.kind !== "confirmed";
  return halted && !facts.leading ? "halted" : planned;
}

/** @param now ms since 1970 */
export function detailOf(seen: Seen, now: number): GroupDetail {
  const { plan, facts, halted, timelines } = seen;
  const blocked = halted === undefined ? [] : [{ ...halted, level: levelOf(halted.reason) }];
  const row = rowOf(seen, now);
  const changes = timelines.map(changeOf);
  if (facts === undefined) {
    const service = { name: masterServiceName(row.cluster), exists: false };
    const settings = { downAfterMs: 0, recovery: "", port: 0 };
    return { ...row, notes: blocked, service, history: [], requests: {}, settings, members: [], outsiders: [], changes };
  }
  const truth = findTruth(facts);
  const service = facts.masterService;
  const led = facts.members.find(({ pod }) => pod.instance === service?.selector[LABEL.instance]);
  return {
    ...row,
    notes: [...blocked, ...(plan?.notices ?? []).map(({ reason, message }) => ({ reason, message, level: levelOf(reason) }))],
    service: {
      name: service?.name ?? facts.settings.masterService ?? masterServiceName(row.cluster),
      exists: service !== undefined,
      ...(led === undefined ? {} : { leadsTo: led.pod.name }),
      ...(service?.halted === undefined ? {} : { halted: service.halted }),
    },
    ...(truth.kind === "confirmed" || plan?.memory.lostAt === undefined ? {} : { lostAt: plan.memory.lostAt }),
    ...(service?.record === undefined || service.record.reason === CLAIMED ? {} : { record: reignOf(service.record) }),
    history: (service?.history ?? []).filter(({ reason }) => reason !== CLAIMED).map(reignOf),
    requests: service?.requests ?? {},
    settings: {
      downAfterMs: facts.settings.downAfterMs,
      recovery: facts.settings.recovery,
      port: facts.settings.port,
    },
    members: [...facts.members].sort(byName).map((member) => memberLine(member, facts, truth)),
    outsiders: facts.outsiders.map(({ pod }) => pod),
    changes,
  };
}

/** Always in the same place, whoever is master. */
function byName(a: MemberFact, b: MemberFact): number {
  if (a.pod.name !== b.pod.name) return a.pod.name < b.pod.name ? -1 : 1;
  return a.pod.uid < b.pod.uid ? -1 : 1;
}

const reignOf = ({ pod, since, reason, epoch }: MasterRecord): Reign => ({ pod, since, reason, epoch });

function changeOf({ kind, cause, startedAt, from, to, outcome, steps }: Timeline): Change {
  return { kind, cause, startedAt, from, to, outcome, steps: steps.map(({ step, ms }) => ({ step, ms })) };
}

function memberLine({ pod, redis, sentinel }: MemberFact, facts: GroupFacts, truth: Truth): MemberLine {
  return {
    pod: pod.name,
    ...(pod.node === undefined ? {} : { node: pod.node }),
    ...(pod.ip === undefined ? {} : { ip: pod.ip }),
    createdAt: pod.createdAt,
    restarts: pod.restarts,
    terminating: pod.terminating,
    orphan: pod.orphan,
    ended: pod.ended,
    nodeGoing: pod.nodeGoing,
    ...(pod.volume === undefined ? {} : { volume: pod.volume }),
    ...(pod.hasRedis ? { redis: redisLine(redis, facts, truth) } : {}),
    ...(pod.hasSentinel ? { sentinel: sentinelLine(sentinel, facts) } : {}),
  };
}

function redisLine(redis: RedisFact | undefined, facts: GroupFacts, truth: Truth): RedisLine | Down {
  if (redis === undefined) return { state: "unknown", since: facts.at };
  if (redis.state !== "up") return { state: redis.state, since: facts.at - redis.forMs };
  const lag = lagBytes(redis, truth);
  const followed = redis.master;
  const waits = followed === undefined || (followed.ip === NOBODY.host && followed.port === NOBODY.port);
  const acknowledged = lagSeconds(redis, facts, truth);
  return {
    state: "up",
    role: redis.role,
    ...(waits ? {} : { of: nameAt(facts, followed) }),
    linkUp: redis.linkUp,
    syncing: redis.syncing,
    loading: redis.loading,
    offset: redis.offset,
    keys: redis.keys,
    ...(lag === undefined ? {} : { lagBytes: lag }),
    ...(acknowledged === undefined ? {} : { lagSeconds: acknowledged }),
  };
}

/** The two offsets were read at slightly different moments: a replica may even seem ahead. */
function lagBytes(redis: RedisFact | undefined, truth: Truth): number | undefined {
  if (redis?.state !== "up" || redis.role !== "replica" || truth.kind !== "confirmed") return undefined;
  const { master } = redis;
  if (master === undefined || master.ip !== truth.address.ip || master.port !== truth.address.port) return undefined;
  return Math.max(0, truth.redis.offset - redis.offset);
}

function lagSeconds(redis: RedisFact, facts: GroupFacts, truth: Truth): number | undefined {
  if (truth.kind !== "confirmed") return undefined;
  const member = facts.members.find((one) => one.redis === redis);
  return truth.redis.replicas.find(({ ip, port }) => ip === member?.pod.ip && port === member.pod.port)?.lagS;
}

function sentinelLine(sentinel: SentinelFact | undefined, facts: GroupFacts): SentinelLine | Down {
  if (sentinel === undefined) return { state: "unknown", since: facts.at };
  if (sentinel.state !== "up") return { state: sentinel.state, since: facts.at - sentinel.forMs };
  const flags = sentinel.master?.flags ?? [];
  return {
    state: "up",
    tilt: sentinel.tilt,
    ...(sentinel.master === undefined ? {} : { names: nameAt(facts, sentinel.master.address) }),
    suspects: flags.includes("s_down") || flags.includes("o_down"),
    electing: flags.includes("failover_in_progress"),
  };
}

const nameAt = (facts: GroupFacts, address: Address): string =>
  memberAt(facts, address)?.pod.name ?? `${address.ip}:${address.port}`;
