/** The selector of the master Service is ours, its EndpointSlices are Kubernetes' (kube-controller-manager makes them): told when they do not follow. */
import { LABEL } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import type { Policy, Step } from "./policy.ts";

/** Tens of ms are usual (bench/failover); an act waits as long before it goes on without them, ms. */
const LATE_MS = 3000;

/** Nothing can be done about it from here: until they follow, new connections go where they led before. Whoever still is with a former master is cut then. */
export const endpoints: Policy = ({ facts, truth, memory }): Step => {
  const service = facts.masterService;
  const followed: Step = { actions: [], memory: { endpointsLate: undefined } };
  if (truth.kind !== "confirmed" || service === undefined || truth.member.pod.orphan) return followed;
  const { uid, instance, name } = truth.member.pod;
  if (service.selector[LABEL.instance] !== instance || facts.endpoints.includes(uid)) return followed;
  const late = memory.endpointsLate?.uid === uid ? memory.endpointsLate : { uid, since: facts.at };
  if (facts.at - late.since < LATE_MS) return { actions: [], memory: { endpointsLate: late } };
  const others = facts.members.filter(({ pod }) => facts.endpoints.includes(pod.uid)).map(({ pod }) => pod.name);
  const message =
    `Service ${service.name} selects master ${name}, seen since ${new Date(late.since).toISOString()}, but its EndpointSlices lead to ${others.join(", ") || "no pod of the group"}: ` +
    "new connections go there until they follow. kube-controller-manager makes them: see whether it runs";
  return {
    actions: [],
    notices: [{ reason: REASON.EndpointsLate, message }],
    state: "degraded",
    memory: { endpointsLate: late },
  };
};
