/** A pod read once: what every subject of the injection needs to know. */
import { INJECTED, LABEL, MARK } from "../../model/names.ts";
import type { GroupSettings } from "../../model/settings.ts";
import type { InjectConfig } from "../config.ts";
import { at, field, type JsonObject, named, stringMap, strings } from "../json.ts";

export interface InjectContext {
  /** of the request: a pod made by a controller does not carry it */
  readonly namespace: string;
  readonly config: InjectConfig;
  /** from 0 (included) to 1 (excluded), as Math.random */
  readonly random: () => number;
  /** ms since 1970 */
  readonly now: () => number;
}

export interface PodView {
  readonly pod: JsonObject;
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly settings: GroupSettings;
  readonly context: InjectContext;
  /** the container that runs Redis, or Sentinel for role sentinel */
  readonly target: { readonly index: number; readonly object: JsonObject };
  /** the pod runs a Redis server (every role but sentinel) */
  readonly redis: boolean;
  /** the pod runs a sentinel beside its server */
  readonly sidecar: boolean;
  /**
   * False when an earlier call in this same request injected the pod: then what is there stays as other webhooks left it, and only what is lacking is
   * added. True else, also for a pod whose template was copied from a live pod: then our parts are brought up to date and it gets an identity of its own.
   */
  readonly fresh: boolean;
}

/** A request lives 30 s at most; the rest is for the clocks of two replicas of ours. */
const SAME_REQUEST_MS = 60_000;

/**
 * Whether this is the first sight of the pod. The status annotation alone proves nothing, since people copy live pods into templates: two pods with one
 * instance label would both be selected by the master Service.
 */
export function isFresh(pod: JsonObject, now: number): boolean {
  const labels = stringMap(at(pod, "metadata", "labels"));
  if (!/^[a-z0-9]{10}$/.test(labels[LABEL.instance] ?? "")) return true;
  const injectedAt = statusTime(stringMap(at(pod, "metadata", "annotations"))[MARK.status]);
  if (injectedAt === undefined || Math.abs(now - injectedAt) > SAME_REQUEST_MS) return true;
  return named(at(pod, "spec", "initContainers"), INJECTED.bootContainer) === undefined;
}

function statusTime(status: string | undefined): number | undefined {
  try {
    const time = Date.parse(String(at(JSON.parse(status ?? ""), "at")));
    return Number.isNaN(time) ? undefined : time;
  } catch {
    return undefined;
  }
}

/**
 * Whether a container already starts through one of our scripts, perhaps behind a wrapper that another webhook put in front of it
 * (`command: [their-wrapper], args: [/redis-ha/bin/redis, …]`): wrapping it again would make the two webhooks climb over each other for ever.
 */
export function startsWithOurs(container: JsonObject, script: string): boolean {
  const words = [...(strings(field(container, "command")) ?? []), ...(strings(field(container, "args")) ?? [])];
  return words.includes(script);
}
