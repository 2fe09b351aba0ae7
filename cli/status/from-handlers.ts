/** The handlers' account of a group as a status. Pure: the same readings of the facts as the policies use. */
import type { GroupView } from "../../handlers/group.ts";
import { findTruth } from "../../handlers/policies/truth.ts";
import { addressOf, majority, sameAddress, sentinelMembers, sentinelsUp } from "../../handlers/policies/view.ts";
import { reasonOfChange } from "../../model/change-reason.ts";
import type { GroupFacts, MasterRecord, MemberFact, RedisFact, RedisUp } from "../../model/facts.ts";
import { LABEL, NOBODY } from "../../model/names.ts";
import { HALTED } from "../../model/reasons.ts";
import { isOf } from "../change/history.ts";
import { duration } from "../paper.ts";
import type { GroupStatus, PodStatus } from "./status.ts";

/** undefined while the handlers have not read the group yet. */
export function fromHandlers(view: GroupView): GroupStatus | undefined {
  const { facts, plan } = view;
  if (facts === undefined) return undefined;
  const truth = findTruth(facts);
  const master = truth.kind === "confirmed" ? truth : undefined;
  const service = facts.masterService;
  const instance = service?.selector[LABEL.instance];
  return {
    ...view.group,
    source: "handlers",
    sourceProblem: undefined,
    state: haltedOf(view) === undefined ? (plan?.state ?? "unknown") : "halted",
    halted: haltedOf(view) ?? service?.halted,
    notices: plan?.notices ?? [],
    master: master?.member.pod.name,
    masterSince: service?.record?.since,
    masterReason: service?.record === undefined ? undefined : reasonOf(service.record, view),
    service: service?.name ?? "",
    outside: service?.outside,
    leadsTo: facts.members.filter(({ pod }) => pod.instance === instance && !pod.orphan).map(({ pod }) => pod.name),
    requests: Object.entries(service?.requests ?? {}).map(([key, value]) => `${key}=${value}`),
    pods: facts.members.map((member) => podStatus(member, facts, master?.redis, master?.member)),
    sentinels: {
      answering: sentinelsUp(facts).length,
      known: sentinelMembers(facts).length,
      needed: majority(facts),
    },
    last: view.timelines[0],
    seenAt: facts.at,
  };
}

function reasonOf(record: MasterRecord, { timelines }: GroupView): string {
  return reasonOfChange(record.reason, timelines.find((one) => isOf(record, one))?.kind);
}

/** Why the handlers can't even look at the group, where that halts it: `REASON: message`, as the mark on a Service has it. */
export function haltedOf({ halted }: GroupView): string | undefined {
  return halted === undefined || !HALTED.has(halted.reason) ? undefined : `${halted.reason}: ${halted.message}`;
}

function podStatus(
  member: MemberFact,
  facts: GroupFacts,
  masterRedis: RedisUp | undefined,
  master: MemberFact | undefined,
): PodStatus {
  const { pod, redis } = member;
  const up = redis?.state === "up" ? redis : undefined;
  const isMaster = master !== undefined && member.pod.uid === master.pod.uid;
  return {
    name: pod.name,
    node: pod.node,
    role: !pod.hasRedis ? "sentinel" : isMaster ? "master" : up === undefined ? "unknown" : up.role,
    link: !pod.hasRedis || isMaster ? "" : linkOf(redis),
    offset: up?.offset,
    lagBytes: isMaster ? undefined : lagOf(member, up, masterRedis),
    keys: up?.keys,
    sentinel: sentinelOf(member, master),
    ready: pod.inSync,
    note: notes(member, isMaster, facts).join(", "),
  };
}

function linkOf(redis: RedisFact | undefined): string {
  if (redis === undefined) return "no address yet";
  if (redis.state !== "up") return `${redis.state} for ${duration(redis.forMs)}`;
  if (redis.loading) return "loading";
  if (redis.syncing) return "copying";
  if (redis.role === "master") return "";
  if (redis.master?.ip === NOBODY.host && redis.master.port === NOBODY.port) return "waiting";
  if (redis.linkUp) return "up";
  return redis.linkDownMs >= Number.MAX_SAFE_INTEGER ? "never up" : `down ${duration(redis.linkDownMs)}`;
}

/** As the master saw it with its own offset, so that both numbers are of one moment; else the difference of what the two said. */
function lagOf(member: MemberFact, redis: RedisUp | undefined, master: RedisUp | undefined): number | undefined {
  if (master === undefined || redis?.role !== "replica") return undefined;
  const seen = master.replicas.find(({ ip, port }) => ip === member.pod.ip && port === member.pod.port);
  return Math.max(0, master.offset - (seen?.offset ?? redis.offset));
}

function sentinelOf({ pod, sentinel }: MemberFact, master: MemberFact | undefined): string {
  if (!pod.hasSentinel) return "";
  if (sentinel === undefined) return "no address yet";
  if (sentinel.state !== "up") return sentinel.state;
  if (sentinel.tilt) return "tilt";
  if (sentinel.master === undefined) return "idle";
  const agrees = master === undefined || sameAddress(sentinel.master.address, addressOf(master));
  return agrees ? "ok" : `names ${sentinel.master.address.ip}`;
}

function notes({ pod, redis }: MemberFact, isMaster: boolean, facts: GroupFacts): string[] {
  const writable = redis?.state === "up" && redis.role === "master" && !isMaster;
  return [
    ...(writable ? ["writable, but not the master"] : []),
    ...(pod.orphan ? ["deleted by force, still running"] : pod.terminating ? ["terminating"] : []),
    ...(pod.ended ? ["ended"] : []),
    ...(pod.nodeGoing ? ["its node is cordoned or gone"] : []),
    ...(pod.restarts > 0 ? [`${pod.restarts} restarts`] : []),
    ...(pod.settings.cluster !== facts.group.cluster ? [`its annotation says ${pod.settings.cluster}`] : []),
  ];
}
