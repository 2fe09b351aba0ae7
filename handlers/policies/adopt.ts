/**
 * Adoption: the annotation was put on a workload that already runs a plain redis with data. The new, injected pod copies it first, then takes over
 * without loss; only then its readiness gate lets the rollout delete the old pod. And the way back, when the annotation is removed.
 */
import type { GroupFacts, MasterRecord, OutsiderFact, RedisUp } from "../../model/facts.ts";
import { REASON } from "../../model/reasons.ts";
import { CAUGHT_UP_BYTES } from "./marks.ts";
import { toChoose } from "./person.ts";
import { NOTHING, type Policy, type Step } from "./policy.ts";
import { proxiesAreReady, wanted } from "./proxies.ts";
import { CLAIMED } from "./route.ts";
import { addressOf, highestEpoch, nameOf, type RedisMember, redisMembers, redisUp, sameAddress } from "./view.ts";

const copied = ({ redis }: Pick<RedisMember, "redis">, source: { ip: string; port: number }): boolean =>
  redis.role === "replica" && sameAddress(redis.master, source) && redis.linkUp && !redis.syncing && !redis.loading;

/** Before the bootstrap: an un-injected redis of the same workload is still there. Nobody else becomes master while that is so. */
export const adopt: Policy = ({ facts, truth, memory }): Step => {
  const record = facts.masterService?.record;
  if (!facts.leading || facts.masterService === undefined || facts.outsiders.length === 0) return NOTHING;
  if (truth.kind === "confirmed" || (record !== undefined && record.reason !== CLAIMED && !abandoned(facts, record)))
    return NOTHING;
  const source = predecessor(facts.outsiders);
  if (source === undefined) return NOTHING;
  if (source.redis.state === "unknown") return { actions: [], state: "waiting", stop: true };
  if (source.redis.state !== "up") {
    return wait(
      `${source.pod} (${source.address.ip}), which runs without redis-ha and may hold the data, does not answer${source.redis.state === "denied" ? ": another password than the group's; use redis-ha.io/auth: secret:<name>/<key> with its own, or none" : ""}`,
    );
  }
  // Data that did not come from the plain pod: somebody removed the Service and with it the record. It is not copied over.
  const plain = source.redis;
  const own = redisUp(facts).filter(
    ({ member, redis }) => !member.pod.orphan && hasOwnData(facts, redis) && !ofLine(redis, plain),
  );
  if (own.length > 0 && plain.keys === 0) return NOTHING;
  if (own.length > 0) {
    const pods = own.map(({ member, redis }) => `${member.pod.name} (${redis.keys} keys)`).join(", ");
    return wait(
      `both ${source.pod} (${plain.keys} keys), which runs without redis-ha, and ${pods} have data that the other does not come from; ` +
        `choose one with: ${toChoose(facts.masterService.name)}, or delete the others and their data`,
    );
  }
  // One that says master is the trace of an adoption that died half-way: the outsider still serves, so it copies again.
  const newcomer = redisUp(facts)
    .filter(({ member, redis }) => !redis.loading && !member.pod.terminating && !member.pod.orphan)
    .sort((a, b) => a.member.pod.createdAt - b.member.pod.createdAt || (a.member.pod.name < b.member.pod.name ? -1 : 1))[0];
  const to = newcomer === undefined ? undefined : addressOf(newcomer.member);
  if (newcomer === undefined || to === undefined) return wait(`no injected pod answers yet; ${source.pod} serves meanwhile`);
  if (!copied(newcomer, source.address)) {
    const message = `${nameOf(newcomer.member)} copies the data of ${source.pod}, which runs without redis-ha`;
    const actions = sameAddress(newcomer.redis.master, source.address)
      ? []
      : [{ kind: "copy" as const, from: source.address, to, message }];
    return { actions, notices: [{ reason: REASON.Adopting, message }], state: "waiting", stop: true };
  }
  // The hand-over holds writes back: not for one that is far behind, and not again at once.
  if (source.redis.offset - newcomer.redis.offset > CAUGHT_UP_BYTES || facts.at < memory.handoverNotBefore)
    return { actions: [], state: "waiting", stop: true };
  const handoverWanted = wanted(memory, "adoption", facts.at);
  if (!proxiesAreReady({ facts }, undefined, handoverWanted.since))
    return { actions: [], state: "handover", stop: true, memory: { handoverWanted } };
  return {
    actions: [{ kind: "adopt", member: newcomer.member, outsider: source, epoch: highestEpoch(facts) }],
    state: "handover",
    stop: true,
  };
};

/**
 * The recorded master is gone without a trace, and nobody of the group has a key: a release that died half-way gave the data to a plain pod and left its
 * record behind. What the outsiders have counts then, as before a bootstrap.
 */
function abandoned(facts: GroupFacts, record: MasterRecord): boolean {
  if (record.volume !== undefined || facts.members.some(({ pod }) => pod.uid === record.uid)) return false;
  const members = redisMembers(facts);
  return members.length > 0 && members.every(({ redis }) => redis?.state === "up" && !redis.loading && !hasOwnData(facts, redis));
}

/** Its data is that of `source`, or came from it: one of its replication histories is the source's. */
const ofLine = (redis: RedisUp, source: RedisUp): boolean =>
  source.replid !== "" && (redis.replid === source.replid || redis.replid2 === source.replid);

/** It has keys, and not because it is copying them from an outsider. */
export function hasOwnData({ outsiders }: Pick<GroupFacts, "outsiders">, redis: RedisUp): boolean {
  return redis.keys > 0 && !outsiders.some(({ address }) => redis.role === "replica" && sameAddress(redis.master, address));
}

/** The oldest one that is master: what served before. */
function predecessor(outsiders: readonly OutsiderFact[]): OutsiderFact | undefined {
  const masters = outsiders.filter(({ redis }) => redis.state !== "up" || redis.role === "master");
  return [...masters].sort((a, b) => a.createdAt - b.createdAt)[0];
}

/** The annotation was removed: the last injected pod goes, and an un-injected one of the same workload is there to take the data. */
export const release: Policy = ({ facts, truth, memory }): Step => {
  if (!facts.leading || truth.kind !== "confirmed" || !truth.member.pod.terminating || facts.outsiders.length === 0)
    return NOTHING;
  if (redisMembers(facts).some(({ pod }) => !pod.terminating && !pod.orphan)) return NOTHING;
  const heir = [...facts.outsiders].filter(({ terminating }) => !terminating).sort((a, b) => a.createdAt - b.createdAt)[0];
  if (heir === undefined || heir.redis.state !== "up") return NOTHING;
  if (copied({ redis: heir.redis }, truth.address)) {
    const early = truth.redis.offset - heir.redis.offset > CAUGHT_UP_BYTES || facts.at < memory.handoverNotBefore;
    if (early) return { actions: [], state: "handover", stop: true };
    const handoverWanted = wanted(memory, "release", facts.at);
    if (!proxiesAreReady({ facts }, truth.member.pod, handoverWanted.since))
      return { actions: [], state: "handover", stop: true, memory: { handoverWanted } };
    return { actions: [{ kind: "release", member: truth.member, outsider: heir }], state: "handover", stop: true };
  }
  if (heir.redis.role === "master" && heir.redis.keys > 0 && !ofLine(heir.redis, truth.redis)) {
    const text =
      `${heir.pod}, which runs without redis-ha, has ${heir.redis.keys} keys that are not of ${nameOf(truth.member)}: nothing is copied over them; ` +
      "empty it (FLUSHALL) before the other one ends, or annotate the workload again";
    return { actions: [], notices: [{ reason: REASON.Adopting, message: text }], state: "handover" };
  }
  const message = `${heir.pod}, which runs without redis-ha, copies the data of ${nameOf(truth.member)}: the annotation was removed`;
  const actions = sameAddress(heir.redis.master, truth.address)
    ? []
    : [{ kind: "copy" as const, from: truth.address, to: heir.address, message }];
  return { actions, notices: [{ reason: REASON.Adopting, message }], state: "handover", stop: true };
};

function wait(message: string): Step {
  return { actions: [], notices: [{ reason: REASON.Adopting, message }], state: "waiting", stop: true };
}
