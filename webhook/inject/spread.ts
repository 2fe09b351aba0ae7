/** The group's pods are spread over nodes and zones, where the user said nothing of it (docs/adr/0035). */
import { ANNOTATION, LABEL } from "../../model/names.ts";
import { asArray, asObject, at, covers, field, type Json, type JsonObject, objects } from "../json.ts";
import type { Patch } from "./patch.ts";
import type { PodView } from "./view.ts";

const HOSTNAME = "kubernetes.io/hostname";
const ZONE = "topology.kubernetes.io/zone";
/** A Deployment's own: which of its templates a pod was made from. */
const TEMPLATE_HASH = "pod-template-hash";
/** The only term, so its weight is only compared with itself. */
const WEIGHT = 100;

const CONSTRAINTS = ["spec", "topologySpreadConstraints"] as const;
const ANTI_AFFINITY = ["spec", "affinity", "podAntiAffinity"] as const;

export function injectSpread(view: PodView, patch: Patch, warnings: string[]): void {
  const { pod, settings, annotations, fresh } = view;
  // A template that was copied from a live pod of ours has our parts, perhaps those of another group.
  const ours = isOurSpread(pod);
  if (ours && !fresh) return;
  const said = (asArray(at(pod, ...CONSTRAINTS)) ?? []).length > 0 || asObject(at(pod, ...ANTI_AFFINITY)) !== undefined;
  if (said && !ours) {
    if (annotations[ANNOTATION.spread] !== undefined && settings.spread !== "none")
      warnings.push(`${ANNOTATION.spread} has no effect: the pod has spread constraints or podAntiAffinity of its own`);
    return;
  }
  if (settings.spread === "none") {
    if (!ours) return;
    patch.remove(CONSTRAINTS);
    patch.remove(ANTI_AFFINITY);
    return;
  }
  const selector = selectorOf(view);
  const wanted = [hostConstraint(selector, settings.spread)];
  if (!same(at(pod, ...CONSTRAINTS), wanted)) patch.set(["spec"], at(pod, "spec"), "topologySpreadConstraints", wanted);
  const zones = zoneAffinity(selector);
  if (!same(at(pod, ...ANTI_AFFINITY), zones))
    patch.set(["spec", "affinity"], at(pod, "spec", "affinity"), "podAntiAffinity", zones);
}

/**
 * The whole group's servers, or its sentinels. A Deployment's rollout must not be placed by the pods that it replaces; but where several Deployments make one group
 * (role master and replica) their pods have different hashes, and each would be spread for itself: there the old pods count. A StatefulSet has no surplus pods.
 */
function selectorOf({ settings, redis, labels }: PodView): JsonObject {
  const matchLabels = { [LABEL.cluster]: settings.cluster, [redis ? LABEL.redis : LABEL.sentinel]: "true" };
  const alone = settings.role === "auto" || settings.role === "sentinel";
  return {
    labelSelector: { matchLabels },
    ...(alone && labels[TEMPLATE_HASH] !== undefined ? { matchLabelKeys: [TEMPLATE_HASH] } : {}),
  };
}

function hostConstraint(selector: JsonObject, spread: "prefer" | "require"): JsonObject {
  const common = { maxSkew: 1, topologyKey: HOSTNAME };
  if (spread === "prefer") return { ...common, whenUnsatisfiable: "ScheduleAnyway", ...selector };
  // Honor: a node that takes no pod (of the control plane, or cordoned) is no place that lacks one, else the rest would wait for ever.
  return { ...common, whenUnsatisfiable: "DoNotSchedule", nodeTaintsPolicy: "Honor", ...selector };
}

/**
 * No second constraint: the scheduler leaves nodes without one of the keys out of a pod's soft constraints (podtopologyspread, requireAllTopologies), so in a
 * cluster without zones one by zone would also undo the one by node. An affinity passes over nodes without the key.
 */
function zoneAffinity(selector: JsonObject): JsonObject {
  const podAffinityTerm = { topologyKey: ZONE, ...selector };
  return { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: WEIGHT, podAffinityTerm }] };
}

/** A living pod's has the hash of its template written into the selector, which must not get into another one's. */
const same = (existing: Json | undefined, wanted: Json): boolean => covers(existing, wanted) && covers(wanted, existing);

/** Whether what the pod says of its spread came from us: people do not select by our label. */
export function isOurSpread(pod: JsonObject): boolean {
  const constraints = objects(at(pod, ...CONSTRAINTS));
  const antiAffinity = asObject(at(pod, ...ANTI_AFFINITY));
  const terms = objects(field(antiAffinity, "preferredDuringSchedulingIgnoredDuringExecution"));
  const selectors = [...constraints.map(({ object }) => object), ...terms.map(({ object }) => at(object, "podAffinityTerm"))];
  return (
    constraints.length === 1 &&
    terms.length === 1 &&
    (field(antiAffinity, "requiredDuringSchedulingIgnoredDuringExecution") ?? null) === null &&
    selectors.every((one) => at(one, "labelSelector", "matchLabels", LABEL.cluster) !== undefined)
  );
}
