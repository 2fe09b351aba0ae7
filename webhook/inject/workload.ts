/**
 * A Deployment or StatefulSet: annotations of ours on its own metadata are copied into its pod template, so that `kubectl annotate deployment` is all a
 * person has to do; and the pods it would make are tried at once, so that a mistake is answered on the command line and not in an Event hours later.
 */
import { ANNOTATION, LABEL } from "../../model/names.ts";
import { asObject, asString, at, field, type JsonObject, objects, stringMap } from "../json.ts";
import { Patch } from "./patch.ts";
import { type InjectContext, type InjectResult, injectPod, isAsked } from "./pod.ts";
import { checkRunning } from "./running.ts";

export interface WorkloadContext extends InjectContext {
  /** the object before an UPDATE */
  readonly oldObject?: unknown;
}

type StringMap = Readonly<Record<string, string>>;

const SETTINGS: readonly string[] = Object.values(ANNOTATION);
const TEMPLATE = ["spec", "template", "metadata"];

export function injectWorkload(value: unknown, context: WorkloadContext): InjectResult {
  const workload = asObject(value) ?? {};
  const template = mapsOf(at(workload, ...TEMPLATE));
  const own = mapsOf(at(workload, "metadata"));
  const old = asObject(context.oldObject);
  if (!isAsked(own.annotations, own.labels) && !isAsked(template.annotations, template.labels)) {
    const { errors } = checkRunning(old, templatePod(workload, {}, []));
    return errors.length === 0 ? skip("not-annotated") : { ...skip("not-annotated"), errors };
  }
  // Only its finalizers are still to be removed, and that must never be refused.
  if (at(workload, "metadata", "deletionTimestamp") !== undefined) return skip("being-deleted");

  const warnings: string[] = [];
  const copied = toCopy(workload, old, warnings);
  const removed = toRemove(workload, old);
  const next = templatePod(workload, copied, removed);
  const pod = injectPod(next, context);
  const running = checkRunning(old, next);
  const errors = [...checkSelector(workload), ...pod.errors, ...leftOver(workload, removed), ...running.errors];
  const known = old === undefined ? [] : errorsOf(old, context);
  // An object that was wrong before may be updated in other respects (scaled, labelled by a controller), as Kubernetes itself does it.
  const fresh = errors.filter((error) => !known.includes(error));
  warnings.push(...pod.warnings, ...shapeWarnings(workload), ...running.warnings);
  if (fresh.length > 0) return { operations: [], warnings, errors, auditAnnotations: pod.auditAnnotations };
  if (errors.length > 0) warnings.push("redis-ha: this object has errors from before; its new pods will be refused");

  const patch = new Patch();
  // Nothing to write into; the API server refuses such an object in its own words.
  if (asObject(at(workload, "spec", "template")) === undefined) return unchanged(warnings, pod.auditAnnotations);
  if (asObject(at(workload, ...TEMPLATE)) === undefined && Object.keys(copied).length > 0)
    patch.set(["spec", "template"], {}, "metadata", {});
  for (const [key, text] of Object.entries(copied)) {
    if (template.annotations[key] !== text)
      patch.set([...TEMPLATE, "annotations"], at(workload, ...TEMPLATE, "annotations"), key, text);
  }
  for (const key of removed) {
    patch.remove([...TEMPLATE, "annotations", key]);
    warnings.push(removalWarning(key));
  }
  return { operations: patch.operations, warnings, errors: [], auditAnnotations: pod.auditAnnotations };
}

/**
 * What goes into the template: the template's own value wins where both say something, except where it is the copy that was made of the workload's former
 * value; then a changed wish is followed (`kubectl annotate --overwrite`).
 */
function toCopy(workload: JsonObject, old: JsonObject | undefined, warnings: string[]): StringMap {
  const template = mapsOf(at(workload, ...TEMPLATE));
  const wishes = wishesOf(workload);
  const before = old === undefined ? {} : wishesOf(old);
  const copied: Record<string, string> = {};
  for (const [key, wish] of Object.entries(wishes)) {
    const there = template.annotations[key] ?? template.labels[key];
    if (there === undefined || there === before[key]) copied[key] = wish;
    else if (there !== wish) warnings.push(`${key}: the pod template's own value is kept, the workload's differs`);
  }
  return copied;
}

/**
 * The copies of wishes that were taken back (`kubectl annotate deployment cache redis-ha.io/cluster-`): without this nobody could go back the way they
 * came. A value that the template has of its own stays.
 */
function toRemove(workload: JsonObject, old: JsonObject | undefined): string[] {
  if (old === undefined) return [];
  const template = mapsOf(at(workload, ...TEMPLATE)).annotations;
  const before = mapsOf(at(old, ...TEMPLATE)).annotations;
  const wishes = wishesOf(workload);
  return Object.entries(wishesOf(old)).flatMap(([key, wish]) =>
    wishes[key] === undefined && template[key] === wish && before[key] === wish ? key : [],
  );
}

/** Without its cluster the rest has no meaning; who wants to leave is told what else to remove. */
function leftOver(workload: JsonObject, removed: readonly string[]): string[] {
  if (!removed.includes(ANNOTATION.cluster)) return [];
  const left = Object.keys(wishesOf(workload));
  const words = left.map((key) => `${key}-`).join(" ");
  return left.length === 0 ? [] : [`to leave the group, remove in the same change: ${words}`];
}

function removalWarning(key: string): string {
  if (key === ANNOTATION.cluster) return `${key}: removed from the pod template too; new pods will be plain and leave the group`;
  return `${key}: removed from the pod template too`;
}

/** The settings on the workload's own metadata; `cluster` and `role` also as labels. */
function wishesOf(workload: JsonObject): StringMap {
  const { annotations, labels } = mapsOf(at(workload, "metadata"));
  const wishes: Record<string, string> = {};
  for (const key of SETTINGS) {
    const wish = annotations[key] ?? (key === ANNOTATION.cluster || key === ANNOTATION.role ? labels[key] : undefined);
    if (wish !== undefined) wishes[key] = wish;
  }
  return wishes;
}

/** The pod that the workload would make. */
function templatePod(workload: JsonObject, copied: StringMap, removed: readonly string[]): JsonObject {
  const metadata = asObject(at(workload, ...TEMPLATE));
  const kept = Object.entries(asObject(field(metadata, "annotations")) ?? {}).filter(([key]) => !removed.includes(key));
  const annotations = { ...Object.fromEntries(kept), ...unknownOf(workload), ...copied };
  return { metadata: { ...metadata, annotations }, spec: at(workload, "spec", "template", "spec") };
}

/** Keys of ours on the workload that are no settings: tried with the pod for their warnings, but not copied. */
function unknownOf(workload: JsonObject): StringMap {
  const { annotations } = mapsOf(at(workload, "metadata"));
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => isAsked({ [key]: "" }, {}) && !SETTINGS.includes(key)));
}

function errorsOf(workload: JsonObject, context: InjectContext): string[] {
  return [...checkSelector(workload), ...injectPod(templatePod(workload, toCopy(workload, undefined, []), []), context).errors];
}

/** The handlers change the role label of living pods: a selector on it would make the controller lose its pods and make new ones for ever. */
function checkSelector(workload: JsonObject): string[] {
  const selector = at(workload, "spec", "selector");
  const keys = [
    ...Object.keys(stringMap(at(selector, "matchLabels"))),
    ...objects(at(selector, "matchExpressions")).map(({ object }) => asString(field(object, "key")) ?? ""),
  ];
  return [LABEL.role, LABEL.instance]
    .filter((key) => keys.includes(key))
    .map(
      (key) =>
        `spec.selector: ${key} is not allowed in it, since redis-ha changes this label on living pods; use a label of your own`,
    );
}

function shapeWarnings(workload: JsonObject): string[] {
  const warnings: string[] = [];
  if (at(workload, "spec", "strategy", "type") === "Recreate") {
    warnings.push("spec.strategy: Recreate ends all pods of a rollout at once: use RollingUpdate to keep a master");
  }
  const orderly = at(workload, "kind") === "StatefulSet" && at(workload, "spec", "podManagementPolicy") !== "Parallel";
  if (orderly)
    warnings.push("spec.podManagementPolicy: use Parallel, else a restart of all pods waits long for the one with the data");
  return warnings;
}

function mapsOf(metadata: unknown): { readonly annotations: StringMap; readonly labels: StringMap } {
  return { annotations: stringMap(at(metadata, "annotations")), labels: stringMap(at(metadata, "labels")) };
}

function unchanged(warnings: readonly string[], auditAnnotations: InjectResult["auditAnnotations"]): InjectResult {
  return { operations: [], warnings, errors: [], auditAnnotations };
}

function skip(skipped: "not-annotated" | "being-deleted"): InjectResult {
  return { operations: [], warnings: [], errors: [], auditAnnotations: { skipped }, skipped };
}
