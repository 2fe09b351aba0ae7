/** What is wrong with the annotations of a group that runs, for people: values that can't be read, and pods that disagree. Changes nothing. */
import type { GroupFacts, MemberFact } from "../../model/facts.ts";
import { ANNOTATION } from "../../model/names.ts";
import type { Notice } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import type { GroupSettings } from "../../model/settings.ts";
import { NOTHING, type Policy } from "./policy.ts";

/** So long after its newest pod was made a group is taken for settled, ms: during a roll-out old and new pods differ, as they should. */
const SETTLED_MS = 120_000;

/** What each pod may have of its own. */
const OF_POD: ReadonlySet<string> = new Set<keyof GroupSettings>(["cluster", "role", "sentinel", "container", "priority"]);

export const settings: Policy = ({ facts }) => {
  const notices = [invalid(facts), mixed(facts) ?? different(facts)].flatMap((notice) => notice ?? []);
  return notices.length === 0 ? NOTHING : { actions: [], notices };
};

/** The webhook refuses such pods: these were annotated while they ran, or made while it was away. */
function invalid({ members }: GroupFacts): Notice | undefined {
  const wrong = members.filter(({ pod }) => living(pod) && pod.settingErrors.length > 0);
  if (wrong.length === 0) return undefined;
  const each = wrong.map(({ pod }) => `pod ${pod.name}: ${pod.settingErrors.join("; ")}`);
  return {
    reason: REASON.InvalidSettings,
    message: `annotations that can't be read, so the default stands in. ${each.join(". ")}. Correct them in the workload's pod template`,
  };
}

/**
 * Pods with and without TLS do not understand each other: neither replicas nor sentinels. Said at once, for such a roll-out never ends by itself. The webhook
 * refuses what leads here, but not every way.
 */
function mixed({ members }: GroupFacts): Notice | undefined {
  const pods = members.map(({ pod }) => pod).filter((pod) => !pod.ended && !pod.orphan && !pod.terminating);
  const names = (tls: boolean): string[] =>
    pods.filter((pod) => (pod.settings.tlsSecret !== undefined) === tls).map(({ name }) => name);
  const [tls, plain] = [names(true), names(false)];
  if (tls.length === 0 || plain.length === 0) return undefined;
  return {
    reason: REASON.SettingsDiffer,
    message:
      `${tls.join(", ")} speak TLS and ${plain.join(", ")} do not: they cannot follow or watch each other. ` +
      `Give all workloads of the group the same ${ANNOTATION.tls}, or undo the roll-out; docs/tls.md says how a running group gets TLS`,
  };
}

/** The newest redis pod's settings are the group's; where others differ for good, a pod that restarts changes the group. */
function different({ members, settings: group, at }: GroupFacts): Notice | undefined {
  const redis = members.filter(({ pod }) => living(pod) && pod.hasRedis);
  const newest = Math.max(...redis.map(({ pod }) => pod.createdAt));
  if (redis.some(({ pod }) => pod.terminating) || at - newest < SETTLED_MS) return undefined;
  const keys = [...new Set(redis.flatMap(({ pod }) => differences(pod.settings, group)))].sort();
  if (keys.length === 0) return undefined;
  const who = redis.filter(({ pod }) => differences(pod.settings, group).length > 0).map(({ pod }) => pod.name);
  return {
    reason: REASON.SettingsDiffer,
    message:
      `the redis pods disagree about ${keys.map(annotationOf).join(", ")}: what the newest says counts, and ${who.join(", ")} ` +
      "say otherwise. Give all workloads of the group the same annotations",
  };
}

const living = ({ ended, orphan }: MemberFact["pod"]): boolean => !ended && !orphan;

function differences(one: GroupSettings, other: GroupSettings): string[] {
  const values = (from: GroupSettings): ReadonlyMap<string, string> =>
    new Map(Object.entries(from).map(([key, value]) => [key, JSON.stringify(value)]));
  const [a, b] = [values(one), values(other)];
  return [...new Set([...a.keys(), ...b.keys()])].filter((key) => !OF_POD.has(key) && a.get(key) !== b.get(key));
}

/** A setting that is kept with its unit or its kind (`downAfterMs`, `tlsSecret`) has an annotation without it. */
function annotationOf(key: string): string {
  const names: Readonly<Record<string, string>> = ANNOTATION;
  return names[key.replace(/(Ms|S|Secret)$/, "")] ?? key;
}
