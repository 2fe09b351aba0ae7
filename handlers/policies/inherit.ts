/** What a predecessor in the lead may have left half done, finished once by the next one: pauses, and clients on a former master. */
import type { Action } from "../../model/plan.ts";
import { type Context, NOTHING, type Policy, type Step } from "./policy.ts";
import { nameOf, redisUp, sameAddress, sentinelElecting } from "./view.ts";

/** A change of master that is older than this was finished, or its clients have noticed, ms. */
const LATELY_MS = 60_000;

/**
 * Once per leadership, as soon as a master is confirmed and nobody is electing (a pause then protects what Sentinel is about to promote). A second node that
 * says master keeps its pause: `fence` decides about it, and lifts it when it follows.
 */
export const inherit: Policy = (context): Step => {
  const { facts, truth, memory } = context;
  if (truth.kind !== "confirmed" || !facts.leading || memory.leadingSince === memory.inheritedFor) return NOTHING;
  if (sentinelElecting(facts) || facts.hint !== undefined) return NOTHING;
  const paused = redisUp(facts).filter(({ member, redis }) => member === truth.member || redis.role === "replica");
  const actions: Action[] = paused.map(({ member }) => ({ kind: "unpause", member }));
  const former = formerMaster(context);
  if (former !== undefined) actions.push(former);
  return { actions, memory: { inheritedFor: memory.leadingSince } };
};

/** The one that the Service led to until a moment ago: it may still have the clients that it had. */
function formerMaster({ facts, truth }: Context): Action | undefined {
  const record = facts.masterService?.record;
  const before = facts.masterService?.history[0];
  if (truth.kind !== "confirmed" || record === undefined || before === undefined) return undefined;
  if (record.uid !== truth.member.pod.uid || facts.at - Date.parse(record.since) > LATELY_MS) return undefined;
  const found = redisUp(facts).find(({ member }) => member.pod.uid === before.uid);
  if (found === undefined || found.redis.role !== "replica") return undefined;
  const previous = { ip: found.member.pod.ip ?? "", port: found.member.pod.port };
  if (sameAddress(previous, truth.address)) return undefined;
  return { kind: "cut", previous, master: truth.address, message: `${nameOf(found.member)} was master until ${record.since}` };
}
