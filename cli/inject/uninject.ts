/**
 * The way back: the operations that take out of a pod what redis-ha put in. Recognized by name, so it works on files, templates and live pods alike.
 * Pure. Removals come last index first, so that each path holds when its turn comes.
 */
import { IN_SYNC_GATE, INJECTED, LABEL, PREFIX } from "../../model/names.ts";
import { parseSettings } from "../../model/settings.ts";
import { COMMAND_GIVEN } from "../../webhook/inject/env.ts";
import { type Operation, type Path, pointer } from "../../webhook/inject/patch.ts";
import { isOurSpread } from "../../webhook/inject/spread.ts";
import {
  asArray,
  asObject,
  asString,
  at,
  covers,
  field,
  type Json,
  type JsonObject,
  named,
  objects,
  stringMap,
  strings,
} from "../../webhook/json.ts";
import { isOurVariable } from "./parts.ts";

export interface UninjectOptions {
  /** leave the annotations and labels that a person writes: what remains is the pod that the webhook was asked about */
  readonly keepSettings?: boolean;
}

export interface Uninjected {
  readonly operations: readonly Operation[];
  readonly warnings: readonly string[];
}

const VOLUMES: readonly unknown[] = [INJECTED.volume, INJECTED.podInfoVolume, INJECTED.tlsVolume];
const CONTAINERS: readonly unknown[] = [INJECTED.bootContainer, INJECTED.sentinelContainer];
/** Of the labels with our prefix a person may have written two. */
const PERSONS_LABELS: readonly string[] = [LABEL.role];

/** @param pod a pod, or the template of a workload */
export function uninject(pod: JsonObject, options: UninjectOptions = {}): Uninjected {
  const work = new Work();
  const { settings } = parseSettings(stringMap(at(pod, "metadata", "annotations")), stringMap(at(pod, "metadata", "labels")));
  work.keys(
    pod,
    ["metadata", "annotations"],
    (key) => key.startsWith(PREFIX) && !(options.keepSettings === true && !isMark(key)),
  );
  work.keys(
    pod,
    ["metadata", "labels"],
    (key) => key.startsWith(PREFIX) && !(options.keepSettings === true && PERSONS_LABELS.includes(key)),
  );
  work.items(pod, ["spec", "volumes"], (item) => VOLUMES.includes(field(item, "name")));
  work.items(pod, ["spec", "initContainers"], (item) => CONTAINERS.includes(field(item, "name")));
  work.items(pod, ["spec", "readinessGates"], (item) => field(item, "conditionType") === IN_SYNC_GATE);
  if (isOurSpread(pod)) {
    work.remove(["spec", "topologySpreadConstraints"]);
    work.keys(pod, ["spec", "affinity"], (key) => key === "podAntiAffinity");
  }
  for (const { object, index } of objects(at(pod, "spec", "containers"))) container(work, object, index, settings.port);
  return work;
}

const MARKS = new Set(["status", "sentinel-slot", "container"].map((name) => PREFIX + name));
const isMark = (key: string): boolean => MARKS.has(key);

function container(work: Work, object: JsonObject, index: number, port: number): void {
  const path: Path = ["spec", "containers", index];
  const command = strings(field(object, "command")) ?? [];
  const ours = command[0] === INJECTED.redisCommand || command[0] === INJECTED.sentinelCommand;
  if (!ours) return;
  const given = asString(at(named(field(object, "env"), COMMAND_GIVEN)?.object, "value")) === "yes";
  const args = asArray(field(object, "args"));
  if (command[0] === INJECTED.sentinelCommand) {
    work.warnings.push(
      `container "${String(field(object, "name"))}": what its command was before is not known; the image's own is used`,
    );
    work.remove([...path, "command"]);
  } else if (given && args !== undefined) {
    // Where the command ended and the arguments began is not known; for the container it is the same.
    work.replace([...path, "command"], args);
    work.remove([...path, "args"]);
  } else work.remove([...path, "command"]);

  work.items(object, ["env"], (item) => isOurVariable(asString(field(item, "name")) ?? "") && !isUsersPassword(item), path);
  work.items(object, ["volumeMounts"], (item) => VOLUMES.includes(field(item, "name")), path);
  for (const [name, probe] of Object.entries(PROBES(port))) {
    const ours = at(object, name, "exec", "command");
    const alive = strings(ours)?.[0] === INJECTED.aliveCommand;
    if (alive || probe.some((one) => field(object, name) !== undefined && covers(field(object, name), one)))
      work.remove([...path, name]);
  }
  const hook = at(object, "lifecycle", "preStop", "exec", "command");
  if (JSON.stringify(hook) !== JSON.stringify([INJECTED.preStopCommand])) return;
  const others = Object.keys(asObject(field(object, "lifecycle")) ?? {}).filter((key) => key !== "preStop");
  work.remove(others.length === 0 ? [...path, "lifecycle"] : [...path, "lifecycle", "preStop"]);
}

/** A user's own REDISCLI_AUTH is kept by the webhook, so it is kept here. */
function isUsersPassword(item: JsonObject): boolean {
  const name = asString(field(item, "name")) ?? "";
  return !name.startsWith("REDIS_HA_") && !String(field(item, "value") ?? "").includes("$(REDIS_HA_PASSWORD)");
}

/** The probes that webhook/inject sets where there are none, told from a user's by their numbers. */
const PROBES = (port: number): Readonly<Record<string, readonly JsonObject[]>> => ({
  startupProbe: [{ tcpSocket: { port }, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 600 }],
  readinessProbe: [
    { tcpSocket: { port }, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 3 },
    { tcpSocket: { port: 26379 }, periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 3 },
  ],
  livenessProbe: [{ tcpSocket: { port }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }],
});

class Work implements Uninjected {
  readonly operations: Operation[] = [];
  readonly warnings: string[] = [];

  remove(path: Path): void {
    this.operations.push({ op: "remove", path: pointer(path) });
  }

  replace(path: Path, value: Json): void {
    this.operations.push({ op: "replace", path: pointer(path), value });
  }

  /** Removes keys of a map; the map too when nothing is left in it. */
  keys(root: JsonObject, path: readonly string[], wanted: (key: string) => boolean): void {
    const map = asObject(at(root, ...path));
    const all = Object.keys(map ?? {});
    const gone = all.filter(wanted);
    if (gone.length === 0) return;
    if (gone.length === all.length) this.remove(path);
    else for (const key of gone) this.remove([...path, key]);
  }

  /** Removes items of a list; the list too when nothing is left in it. */
  items(root: JsonObject, path: readonly string[], wanted: (item: JsonObject) => boolean, before: Path = []): void {
    const all = objects(at(root, ...path));
    const gone = all.filter(({ object }) => wanted(object));
    if (gone.length === 0) return;
    if (gone.length === asArray(at(root, ...path))?.length) this.remove([...before, ...path]);
    else for (const { index } of gone.toReversed()) this.remove([...before, ...path, index]);
  }
}
