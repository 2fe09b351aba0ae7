/** Waiting or misdirected replicas follow the confirmed master; run-time parameters that depend on the group's size are kept. */
import type { MemberFact } from "../../model/facts.ts";
import { TLS_REPLICATION } from "../../model/names.ts";
import type { Action } from "../../model/plan.ts";
import { NOTHING, type Policy, type Step } from "./policy.ts";
import { quorumReached, type RedisMember, redisMembers, redisUp, sameAddress, sentinelElecting } from "./view.ts";

/**
 * Points every replica that follows somebody else, or nobody, to the master. One that hears from another master is left alone while too few sentinels
 * answer: its master may be the newer one.
 */
export const attach: Policy = ({ facts, truth }): Step => {
  if (truth.kind !== "confirmed" || !facts.leading || sentinelElecting(facts)) return NOTHING;
  if (truth.member.pod.orphan) return NOTHING;
  const actions: Action[] = redisUp(facts)
    .filter(({ member, redis }) => redis.role === "replica" && !sameAddress(redis.master, truth.address) && !member.pod.orphan)
    .filter(({ redis }) => !redis.linkUp || quorumReached(facts))
    .map(({ member }) => ({ kind: "attach", member, master: truth.address }));
  return { actions };
};

/** min-replicas-to-write that stands when the user set none: 1 as soon as the master can lose one replica and still have another. */
export function minReplicasToWrite(redisCount: number, wanted: number | undefined): number {
  return wanted ?? (redisCount >= 3 ? 1 : 0);
}

/**
 * What min-replicas-… should be on this node. Kept by us and not by the boot script, because it follows the group's size. With TLS also what the copying from
 * a plain server without TLS has changed (act/adopt.ts).
 */
export function wantedParameters(one: RedisMember, redisCount: number): Readonly<Record<string, string>> {
  const { settings } = one.member.pod;
  return {
    "min-replicas-to-write": String(minReplicasToWrite(redisCount, settings.minReplicasToWrite)),
    "min-replicas-max-lag": String(settings.minReplicasMaxLagS),
    ...(settings.tlsSecret === undefined ? {} : { [TLS_REPLICATION]: "yes" }),
  };
}

/**
 * Who counts for the group's size. A pod whose redis has never answered can't replicate yet: counting it would stop the writes of a master whose replicas are
 * all being replaced. One that fell silent counts on, also while it is being deleted: it may be the master that is cut off, and then it must not be told that it
 * needs nobody. For the same reason the master counts for as long as it is one.
 */
function counts(member: MemberFact, master: MemberFact): boolean {
  const { pod, redis } = member;
  if (pod.orphan) return false;
  if (redis?.state === "up") return member === master || !pod.terminating;
  // In sync by its gate: it answered whoever led before, if not this process, which may just have been started on the master's side of a partition.
  const answered = redis?.last !== undefined || pod.inSync === true;
  return answered && (redis?.state === "timeout" || !pod.terminating);
}

export const configure: Policy = ({ facts, truth }): Step => {
  if (truth.kind !== "confirmed" || !facts.leading) return NOTHING;
  const count = redisMembers(facts).filter((member) => counts(member, truth.member)).length;
  const actions: Action[] = [];
  for (const one of redisUp(facts)) {
    const wanted = wantedParameters(one, count);
    const wrong = Object.entries(wanted).filter(([name, value]) => one.redis.parameters[name] !== value);
    if (wrong.length > 0) actions.push({ kind: "configure-redis", member: one.member, parameters: Object.fromEntries(wrong) });
  }
  return { actions };
};
