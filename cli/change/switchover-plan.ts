/** What a switchover would do, or why it can't. Pure: the same readings of the facts as the handlers' policy. */

import { handoverCandidates } from "../../handlers/policies/successor.ts";
import { findTruth } from "../../handlers/policies/truth.ts";
import { majority, monitoring, redisMembers } from "../../handlers/policies/view.ts";
import type { GroupFacts } from "../../model/facts.ts";

export interface SwitchoverPlan {
  readonly from: string;
  readonly to: string;
  /** what goes on the Service: a pod's name, or `any` */
  readonly request: string;
  readonly service: string;
  /** who else could take over, best first */
  readonly others: readonly string[];
  readonly lines: readonly string[];
}

/** Any word that is no pod's name means "choose one". */
const ANY = "any";

/** @returns a sentence instead of a plan when the handlers would refuse */
export function planSwitchover(facts: GroupFacts, to: string | undefined): SwitchoverPlan | string {
  const truth = findTruth(facts);
  const name = `${facts.group.namespace}/${facts.group.cluster}`;
  if (truth.kind !== "confirmed") return `${name} has no confirmed master to hand over; see redis-ha status ${name}`;
  const service = facts.masterService;
  if (service === undefined) return `${name} has no master Service yet`;
  const from = truth.member.pod.name;
  const names = redisMembers(facts).map(({ pod }) => pod.name);
  if (to !== undefined && !names.includes(to)) return `${to} is not a redis pod of ${name}; there are: ${names.join(", ")}`;
  if (to === from) return `${to} is the master of ${name} already`;
  const candidates = handoverCandidates(facts, truth.address);
  const chosen = to === undefined ? candidates[0] : candidates.find(({ member }) => member.pod.name === to);
  if (chosen === undefined) {
    const able = candidates.map(({ member }) => member.pod.name).join(", ");
    const others = able === "" ? "no replica can" : `these can: ${able}`;
    return to === undefined
      ? `no replica of ${name} can take over: none has its link to ${from} up`
      : `${to} can't take over now: its link to ${from} is not up, its priority is 0, or it is about to go; ${others}`;
  }
  const [votes, needed] = [monitoring(facts).length, majority(facts)];
  if (votes < needed) return `only ${votes} sentinels can vote, and ${needed} are needed; nothing would be changed`;
  const target = chosen.member.pod.name;
  const behind = Math.max(0, truth.redis.offset - chosen.redis.offset);
  return {
    from,
    to: target,
    request: to ?? ANY,
    service: service.name,
    others: candidates.map(({ member }) => member.pod.name).filter((one) => one !== target),
    lines: [
      `${name}: the master moves from ${from} to ${target}`,
      `  1. writes to ${from} are paused (reads go on)`,
      `  2. ${target} catches up (it is ${behind} bytes behind now); without equal offsets in 1.5 s all stays as it is`,
      `  3. ${needed} of ${votes} sentinels give their votes; ${target} becomes master, ${from} its replica`,
      `  4. the Service ${service.name} moves, old connections are closed; clients connect again`,
      "  No acknowledged write is lost. Writes wait meanwhile: mostly well under a second.",
    ],
  };
}
