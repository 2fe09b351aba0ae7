/** What is injected, part by part, and why. Each operation of the webhook's patch belongs to one part. Pure. */
import { IN_SYNC_GATE, INJECTED, MARK } from "../../model/names.ts";
import type { Operation } from "../../webhook/inject/patch.ts";
import { asObject, asString, field } from "../../webhook/json.ts";

export type Part =
  | "identity"
  | "settings"
  | "boot"
  | "sentinel"
  | "command"
  | "environment"
  | "volumes"
  | "probes"
  | "preStop"
  | "gate"
  | "spread"
  | "pull secrets"
  | "other";

export const WHY: Readonly<Record<Part, string>> = {
  identity: "labels by which the handlers find the pod, and one that is unique to it: what the master Service selects",
  settings: "your settings, copied to where the pods are made from; what was found out is written down",
  boot: `init container ${INJECTED.bootContainer}: brings the boot scripts into the pod; your image stays as it is`,
  sentinel: `native sidecar ${INJECTED.sentinelContainer} (your image): watches the master and votes; without redis-ha it still fails over`,
  command:
    "the server starts through our script, as a replica, never as master; your command and arguments are what it starts in the end",
  environment: "what the boot scripts must know: group, sentinels, password (from the Secret), the pod's own address",
  volumes: "an emptyDir for the scripts and what they write; the sentinel's slot as a file, since it is given while the pod runs",
  probes: "only where you set none: whether the port can be opened. They never ask for data, so a loading server is not killed",
  preStop: "holds the process until its role has moved, so that a deleted master loses no write",
  gate: `readiness gate ${IN_SYNC_GATE}: rollouts, drains and budgets wait until the data is there`,
  spread: "only where you said nothing of it: the group's pods on different nodes and zones, as far as there are some",
  "pull secrets": "with them the boot image is pulled (a setting of the installation)",
  other: "other changes",
};

/** Names of variables that are ours, beside those with our prefix. */
const CLI_PASSWORDS = ["REDISCLI_AUTH", "VALKEYCLI_AUTH"];
export const isOurVariable = (name: string): boolean => name.startsWith("REDIS_HA_") || CLI_PASSWORDS.includes(name);

const BY_PATH: readonly (readonly [RegExp, Part])[] = [
  [/^\/metadata\/labels/, "identity"],
  [/^\/metadata\/annotations\/redis-ha\.io~1status/, "identity"],
  [/^\/metadata\/annotations/, "settings"],
  [/^\/spec\/volumes/, "volumes"],
  [/\/volumeMounts/, "volumes"],
  [/\/env(\/|$)/, "environment"],
  [/\/(command|args)(\/|$)/, "command"],
  [/\/(startup|readiness|liveness)Probe/, "probes"],
  [/\/lifecycle/, "preStop"],
  [/^\/spec\/readinessGates/, "gate"],
  [/^\/spec\/(topologySpreadConstraints|affinity)/, "spread"],
  [/^\/spec\/imagePullSecrets/, "pull secrets"],
];

/** @param path of the operation in a pod; of a workload: without /spec/template */
export function partOf(operation: Operation): Part {
  if (operation.path.startsWith("/spec/initContainers")) {
    const text = JSON.stringify("value" in operation ? operation.value : {});
    return text.includes(`"name":"${INJECTED.sentinelContainer}"`) ? "sentinel" : "boot";
  }
  return BY_PATH.find(([pattern]) => pattern.test(operation.path))?.[1] ?? "other";
}

/** One line for each thing that an operation puts in: `env REDIS_HA_CLUSTER=cache`. */
export function described(operation: Operation): string[] {
  const key = operation.path.split("/").at(-1)?.replaceAll("~1", "/").replaceAll("~0", "~") ?? "";
  if (operation.op === "remove") return [`- ${key}`];
  const { value } = operation;
  const list = Array.isArray(value) ? value : [value];
  return list.flatMap((item) => {
    const object = asObject(item);
    const name = asString(field(object, "name"));
    if (name !== undefined) return [withValue(name, object)];
    const type = asString(field(object, "conditionType"));
    if (type !== undefined) return [type];
    if (object !== undefined && Object.keys(object).length === 0) return [];
    return [`${key}: ${typeof item === "string" ? item : JSON.stringify(item)}`];
  });
}

function withValue(name: string, object: ReturnType<typeof asObject>): string {
  const value = field(object, "value");
  const mount = field(object, "mountPath");
  if (typeof value === "string") return `${name}=${value}`;
  if (typeof mount === "string") return `${name} at ${mount}`;
  const image = field(object, "image");
  return typeof image === "string" ? `${name} (${image})` : name;
}

/** The operations of each part, in the order in which the parts are declared. */
export function byPart(operations: readonly Operation[]): [Part, Operation[]][] {
  const parts = Object.keys(WHY) as Part[];
  return parts.flatMap((part): [Part, Operation[]][] => {
    const own = operations.filter((operation) => partOf(operation) === part);
    return own.length === 0 ? [] : [[part, own]];
  });
}

/** Marks that are made anew for each pod: in a template they would be shared by all its pods. */
export const PER_POD = new Set<string>([MARK.status, MARK.sentinelSlot]);
