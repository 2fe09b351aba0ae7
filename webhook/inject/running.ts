/**
 * Changes that a running group cannot take by a roll-out: its old and new pods could not follow each other, nor their sentinels meet, so the roll-out would stand still,
 * and redis-ha, which goes by the newest pod, could not look after the old ones. Nothing is lost where nothing runs.
 */
import { ANNOTATION, LABEL } from "../../model/names.ts";
import { at, type JsonObject, stringMap } from "../json.ts";
import { isAsked } from "./pod.ts";

type StringMap = Readonly<Record<string, string>>;

interface Template {
  readonly annotations: StringMap;
  readonly labels: StringMap;
}

const templateOf = (object: JsonObject, ...path: string[]): Template => ({
  annotations: stringMap(at(object, ...path, "metadata", "annotations")),
  labels: stringMap(at(object, ...path, "metadata", "labels")),
});
const clusterOf = ({ annotations, labels }: Template): string | undefined =>
  annotations[ANNOTATION.cluster] ?? labels[LABEL.cluster];

/** The pod templates before and after, where pods of a group run; undefined where nothing does. */
function changeOf(old: JsonObject | undefined, next: JsonObject): { before: Template; after: Template } | undefined {
  if (old === undefined || at(old, "spec", "replicas") === 0) return undefined;
  const before = templateOf(old, "spec", "template");
  return isAsked(before.annotations, before.labels) ? { before, after: templateOf(next) } : undefined;
}

const ADVICE = "so a running group cannot change by a roll-out; scale to 0 first if its data is on volumes or may go, else see";

/** @param next the pod that the workload would make now */
export function checkRunning(old: JsonObject | undefined, next: JsonObject): { errors: string[]; warnings: string[] } {
  const change = changeOf(old, next);
  if (change === undefined) return { errors: [], warnings: [] };
  const { before, after } = change;
  return { errors: [...protocol(before, after), ...password(before, after)], warnings: otherSecret(before, after) };
}

/** Also off with everything else: a plain pod could not copy from one that speaks TLS alone. */
function protocol(before: Template, after: Template): string[] {
  if ((before.annotations[ANNOTATION.tls] === undefined) === (after.annotations[ANNOTATION.tls] === undefined)) return [];
  return [`${ANNOTATION.tls}: pods with and without TLS do not understand each other, ${ADVICE} docs/tls.md`];
}

/** A replica that sends a password is refused by a master without one, and the other way round. The way back to plain pods is another thing: there redis-ha copies. */
function password(before: Template, after: Template): string[] {
  if (!isSameGroup(before, after) || isOpen(before) === isOpen(after)) return [];
  return [
    `${ANNOTATION.auth}: pods with and without a password do not follow each other, ${ADVICE} docs/annotations.md, "The password"`,
  ];
}

/** What is in the Secrets is not known here. */
function otherSecret(before: Template, after: Template): string[] {
  if (!isSameGroup(before, after)) return [];
  const [was, is] = [before, after].map(({ annotations }) => annotations[ANNOTATION.auth] ?? "generated");
  if (was === is || isOpen(before) || isOpen(after)) return [];
  return [`${ANNOTATION.auth}: both Secrets must hold the same password, else old and new pods do not follow each other`];
}

const isOpen = ({ annotations }: Template): boolean => annotations[ANNOTATION.auth] === "none";
const isSameGroup = (before: Template, after: Template): boolean =>
  isAsked(after.annotations, after.labels) && clusterOf(before) === clusterOf(after);
