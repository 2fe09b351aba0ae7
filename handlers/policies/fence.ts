/** A second writable node: the one that the highest epoch does not name is paused, demoted, and its clients are cut. */
import { REASON } from "../../model/reasons.ts";
import { NOTHING, type Policy, type Step } from "./policy.ts";
import { nameOf, quorumReached, redisUp, sameAddress, sentinelElecting } from "./view.ts";

/**
 * Only with a confirmed master, while enough sentinels answer that a newer election can't be hidden (on the small side of a partition the second
 * one may be the right one), and not while a sentinel is in the middle of a failover: then the node that nobody names yet may be the next
 * master (the leader learns of its own promotion by INFO, up to a second late: sentinel.c, sentinelRefreshInstanceInfo).
 */
export const fence: Policy = ({ facts, truth }): Step => {
  if (truth.kind !== "confirmed" || !facts.leading) return NOTHING;
  const second = redisUp(facts).filter(({ member, redis }) => redis.role === "master" && member !== truth.member);
  if (second.length === 0) return NOTHING;
  if (!quorumReached(facts)) return { actions: [], state: "degraded", stop: true };
  if (sentinelElecting(facts) || facts.hint !== undefined) {
    const hinted = second.some(
      ({ redis, member }) =>
        redis.role === "master" && sameAddress(facts.hint?.address, { ip: member.pod.ip ?? "", port: member.pod.port }),
    );
    if (hinted || sentinelElecting(facts)) return { actions: [], state: "degraded", stop: true };
  }
  return {
    actions: second.map(({ member }) => ({
      kind: "fence" as const,
      member,
      master: truth.address,
      message: `${nameOf(member)} was writable beside master ${nameOf(truth.member)} of epoch ${truth.epoch}; demoted and its clients cut`,
    })),
    notices: second.map(({ member }) => ({
      reason: REASON.StaleMasterFenced,
      message: `${nameOf(member)} was writable beside master ${nameOf(truth.member)} of epoch ${truth.epoch}; demoted and its clients cut`,
    })),
    state: "degraded",
    stop: true,
  };
};
