/** `redis-ha.io/promote: <pod>` on the master Service: a person chooses, in every state without a master. Checked, done, removed. */
import { REQUEST } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { type Context, NOTHING, type Policy, type Step } from "./policy.ts";
import { highestEpoch, nameOf, redisMembers, redisUp, sentinelsUp } from "./view.ts";

/** What a person types to choose, for messages. */
export const toChoose = (service: string, pod = "POD"): string => `kubectl annotate service ${service} ${REQUEST.promote}=${pod}`;

export const person: Policy = (context): Step => {
  const { facts, truth } = context;
  const asked = facts.masterService?.requests.promote;
  if (asked === undefined || !facts.leading) return NOTHING;
  // Done, and the patch that takes the request away is under way, or its watch is late.
  if (truth.kind === "confirmed" && truth.member.pod.name === asked) return clear(context);
  if (truth.kind === "confirmed") {
    return refuse(context, `${truth.member.pod.name} is master and well; to move it use redis-ha.io/handover=${asked}`);
  }
  const chosen = redisUp(facts).find(({ member }) => member.pod.name === asked);
  if (chosen === undefined) {
    const members = redisMembers(facts);
    const silent = members.find(({ pod }) => pod.name === asked);
    if (silent !== undefined) {
      const message = `${nameOf(silent)} is to become master, because a person asked for it, and does not answer yet`;
      return { actions: [], notices: [{ reason: REASON.WaitingForPods, message }] };
    }
    const names = members.map(nameOf).join(", ");
    return refuse(context, `no redis of this group is called ${asked}; there are: ${names}`);
  }
  if (chosen.redis.loading) return NOTHING;
  const message = `${nameOf(chosen.member)} becomes master because a person asked for it (${chosen.redis.keys} keys, offset ${chosen.redis.offset})`;
  return {
    actions: [
      {
        kind: "promote",
        cause: "person",
        candidates: [chosen.member],
        old: truth.kind === "named" ? truth.address : undefined,
        votes: 0,
        epoch: highestEpoch(facts) + 1,
        others: redisUp(facts)
          .filter(({ member }) => member !== chosen.member)
          .map(({ member }) => member),
        sentinels: sentinelsUp(facts).map(({ member }) => member),
        reason: REASON.PromotedByPerson,
        message,
      },
      { kind: "mark-service", halted: undefined, clearRequests: ["promote"] },
    ],
    state: "waiting",
    stop: true,
  };
};

function clear({ facts }: Context): Step {
  return { actions: [{ kind: "mark-service", halted: facts.masterService?.halted, clearRequests: ["promote"] }] };
}

function refuse(context: Context, message: string): Step {
  return { ...clear(context), notices: [{ reason: REASON.RequestRefused, message }] };
}
