/** Waiting or misdirected replicas follow the confirmed master; run-time parameters that depend on the group's size are kept. */
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

export const configure: Policy = ({ facts, truth }): Step => {
  if (truth.kind !== "confirmed" || !facts.leading) return NOTHING;
  // A pod whose redis has never answered can't replicate yet: counting it would stop the writes of a master whose replicas are all being replaced.
  // One that fell silent counts on: it may be the master that is cut off.
  const count = redisMembers(facts).filter(
    ({ pod, redis }) => !pod.terminating && !pod.orphan && (redis?.state === "up" || redis?.last !== undefined),
  ).length;
  const actions: Action[] = [];
  for (const one of redisUp(facts)) {
    const wanted = wantedParameters(one, count);
    const wrong = Object.entries(wanted).filter(([name, value]) => one.redis.parameters[name] !== value);
    if (wrong.length > 0) actions.push({ kind: "configure-redis", member: one.member, parameters: Object.fromEntries(wrong) });
  }
  return { actions };
};
