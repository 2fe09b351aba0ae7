/** A pod in, the operations that make it a member of its group out. Pure but for what the context brings (randomness and the clock). */
import { LABEL, PREFIX } from "../../model/names.ts";
import { parseSettings } from "../../model/settings.ts";
import { asObject, asString, at, field, stringMap } from "../json.ts";
import { checkPod } from "./check.ts";
import { injectInitContainers } from "./init-containers.ts";
import { injectAnnotations, injectLabels } from "./labels.ts";
import { type Operation, Patch } from "./patch.ts";
import { injectPreStop, injectProbes, injectReadinessGate } from "./probes.ts";
import { injectPullSecrets } from "./pull-secrets.ts";
import { injectRedis } from "./redis-container.ts";
import { injectSentinelRole } from "./sentinel-container.ts";
import { injectSpread } from "./spread.ts";
import { chooseContainer } from "./target.ts";
import { type InjectContext, isFresh, type PodView } from "./view.ts";
import { injectVolumes } from "./volumes.ts";

export type { InjectContext } from "./view.ts";

/** Why an object was left alone: the same word in logs, metrics and audit annotations. */
export type Skip = "not-annotated" | "mirror-pod" | "being-deleted";

export interface InjectResult {
  /** empty when there is nothing to do, or when there are errors: never half a patch */
  readonly operations: readonly Operation[];
  readonly warnings: readonly string[];
  /** the user's mistakes, all of them */
  readonly errors: readonly string[];
  /** fixed keys: cluster, role, skipped */
  readonly auditAnnotations: Readonly<Record<string, string>>;
  readonly skipped?: Skip;
}

/** @param value the pod as it came from the API server */
export function injectPod(value: unknown, context: InjectContext): InjectResult {
  const pod = asObject(value) ?? {};
  const annotations = stringMap(at(pod, "metadata", "annotations"));
  const labels = stringMap(at(pod, "metadata", "labels"));
  if (!isAsked(annotations, labels)) return skip("not-annotated");
  // The kubelet's own report of a static pod: it runs already, and nothing of it can be changed.
  if (annotations["kubernetes.io/config.mirror"] !== undefined) return skip("mirror-pod");

  const { settings, errors, warnings } = parseSettings(annotations, labels);
  const target = chooseContainer(pod, settings);
  if ("error" in target) errors.push(target.error);
  errors.push(...checkPod(pod, settings, "error" in target ? undefined : asString(field(target.object, "name"))));
  const auditAnnotations = { cluster: settings.cluster, role: settings.role };
  if ("error" in target || errors.length > 0) return { operations: [], warnings, errors, auditAnnotations };

  const redis = settings.role !== "sentinel";
  const sidecar = redis && settings.sentinel === "sidecar";
  const fresh = isFresh(pod, context.now());
  const operations = inject({ pod, annotations, labels, settings, context, target, redis, sidecar, fresh }, warnings);
  return { operations, warnings, errors, auditAnnotations };
}

function inject(view: PodView, warnings: string[]): readonly Operation[] {
  const patch = new Patch();
  injectAnnotations(view, patch);
  injectLabels(view, patch);
  injectVolumes(view, patch);
  injectPullSecrets(view, patch);
  injectInitContainers(view, patch);
  injectSpread(view, patch, warnings);
  if (view.redis) {
    injectRedis(view, patch);
    injectProbes(view, patch, warnings);
    injectPreStop(view, patch, warnings);
    injectReadinessGate(view, patch);
  } else {
    injectSentinelRole(view, patch, warnings);
  }
  return patch.operations;
}

/** Whether anybody asked us: an annotation of ours (also a mistyped one, which must not let a bare server slip in), or one of the two labels. */
export function isAsked(annotations: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  return (
    Object.keys(annotations).some((key) => key.startsWith(PREFIX)) ||
    [LABEL.cluster, LABEL.role].some((key) => labels[key] !== undefined)
  );
}

function skip(skipped: Skip): InjectResult {
  return { operations: [], warnings: [], errors: [], auditAnnotations: { skipped }, skipped };
}
