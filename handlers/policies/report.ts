/** What nobody acted on but a person should hear of; and the halt mark, taken back as soon as there is a master. */
import { REASON } from "../../model/reasons.ts";
import type { Policy, Step } from "./policy.ts";
import { CLAIMED } from "./route.ts";
import { majority, redisMembers, redisUp, sentinelMembers, sentinelsUp } from "./view.ts";

/** A group that we have just met, or that just starts: its sentinels are not there yet, ms. */
const NEW_MS = 15_000;

export const report: Policy = ({ facts, truth, memory }): Step => {
  const service = facts.masterService;
  const halted = truth.kind === "confirmed" && facts.leading && service?.halted !== undefined;
  const sentinelCount = sentinelMembers(facts).length;
  const reached = sentinelsUp(facts).length;
  const needed = Math.min(majority(facts), sentinelCount);
  const recorded = service?.record !== undefined && service.record.reason !== CLAIMED;
  // Before the bootstrap it can't be lost: the sentinels are only starting.
  const quorumLost = sentinelCount > 0 && reached < needed && recorded && facts.at - memory.firstSeenAt > NEW_MS;
  const restored = memory.quorumLost && recorded && reached >= needed && sentinelCount > 0;
  const complete = redisUp(facts).length === redisMembers(facts).length;
  const state = truth.kind !== "confirmed" ? "masterless" : quorumLost || !complete ? "degraded" : "ok";
  return {
    actions: halted ? [{ kind: "mark-service", halted: undefined, clearRequests: [] }] : [],
    notices: quorumLost
      ? [
          {
            reason: REASON.QuorumLost,
            message: `fewer than ${needed} of ${sentinelCount} sentinels answer: they could not elect a master`,
          },
        ]
      : restored
        ? [
            {
              reason: REASON.QuorumRestored,
              message: `${needed} or more of ${sentinelCount} sentinels answer again: they can elect a master`,
            },
          ]
        : [],
    state,
    memory: { quorumLost: quorumLost || (memory.quorumLost && !restored) },
  };
};
