/** Labels and annotations of an injected pod: its group, its identity, what was found out about it, and the status annotation. */
import { createHash } from "node:crypto";
import { ANNOTATION, INJECTED, LABEL, MARK } from "../../model/names.ts";
import { asString, at, field } from "../json.ts";
import type { Patch } from "./patch.ts";
import type { PodView } from "./view.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
const INSTANCE_LENGTH = 10;

export function injectLabels(view: PodView, patch: Patch): void {
  const { settings, labels, fresh } = view;
  const wanted: Record<string, string> = { [LABEL.cluster]: settings.cluster };
  if (fresh) wanted[LABEL.instance] = randomInstance(view.context.random);
  if (view.redis) wanted[LABEL.redis] = "true";
  if (view.sidecar || settings.role === "sentinel") wanted[LABEL.sentinel] = "true";

  const path = ["metadata", "labels"];
  for (const [key, value] of Object.entries(wanted))
    if (labels[key] !== value) patch.set(path, existing(view, "labels"), key, value);
  // A template that was copied from another kind of pod: a sentinel's Service must not lead to a pod without one.
  for (const key of [LABEL.redis, LABEL.sentinel])
    if (labels[key] !== undefined && wanted[key] === undefined) patch.remove([...path, key]);
}

export function injectAnnotations(view: PodView, patch: Patch): void {
  const { annotations, settings, fresh } = view;
  const path = ["metadata", "annotations"];
  const set = (key: string, value: string): void => {
    if (annotations[key] !== value) patch.set(path, existing(view, "annotations"), key, value);
  };
  // Wishes that came as labels or by default are written down: the handlers later use the role label for what the pod is, and a mesh may add containers.
  set(ANNOTATION.cluster, settings.cluster);
  if (settings.role !== "auto") set(ANNOTATION.role, settings.role);
  set(ANNOTATION.container, asString(field(view.target.object, "name")) ?? "");

  if (!fresh) return;
  set(MARK.status, status(view));
  // A copied slot would give two sentinels the same id.
  if (annotations[MARK.sentinelSlot] !== undefined) patch.remove([...path, MARK.sentinelSlot]);
}

/** Ten of 36 characters: two pods of a group of a thousand agree with a probability of one in 7 · 10^9. */
function randomInstance(random: () => number): string {
  return Array.from({ length: INSTANCE_LENGTH }, () => ALPHABET[Math.floor(random() * ALPHABET.length)]).join("");
}

function status(view: PodView): string {
  const { config, now } = view.context;
  const containers = [INJECTED.bootContainer, ...(view.sidecar ? [INJECTED.sentinelContainer] : [])];
  return JSON.stringify({
    version: config.version,
    hash: injectionHash(view),
    injected: containers,
    at: new Date(now()).toISOString(),
  });
}

/** Equal for pods that were injected by the same settings and configuration: shows which pods a change has not reached yet. */
function injectionHash(view: PodView): string {
  return createHash("sha256")
    .update(JSON.stringify([view.settings, view.context.config]))
    .digest("hex")
    .slice(0, 12);
}

function existing(view: PodView, map: "labels" | "annotations"): unknown {
  return at(view.pod, "metadata", map);
}
