/** A group's status from Kubernetes objects alone, for when the handlers are away: what was last written down, and no promise that it still holds. Pure. */
import { serviceFact } from "../../handlers/watch/service-fact.ts";
import type { Pod, Service } from "../../kube/types.ts";
import { ANNOTATION, LABEL } from "../../model/names.ts";
import type { GroupName } from "../target.ts";
import type { GroupStatus, PodStatus } from "./status.ts";

export interface Objects {
  /** of the group, by LABEL.cluster */
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
}

/** Every group that the objects speak of. */
export function groupsIn({ pods, services }: Objects): GroupName[] {
  const found = new Map<string, GroupName>();
  for (const { metadata } of [...pods, ...services]) {
    const cluster = metadata?.labels?.[LABEL.cluster];
    const namespace = metadata?.namespace;
    if (cluster !== undefined && namespace !== undefined) found.set(`${namespace}/${cluster}`, { namespace, cluster });
  }
  return [...found.values()].sort((a, b) => (`${a.namespace}/${a.cluster}` < `${b.namespace}/${b.cluster}` ? -1 : 1));
}

const inGroup =
  ({ namespace, cluster }: GroupName) =>
  (object: Pod | Service): boolean =>
    object.metadata?.namespace === namespace && object.metadata.labels?.[LABEL.cluster] === cluster;

/** The master Service is the one that selects by instance; a Service that was taken over has any name. */
export const masterServiceOf = ({ services }: Objects, group: GroupName): Service | undefined =>
  services.filter(inGroup(group)).find(({ spec }) => spec?.selector?.[LABEL.instance] !== undefined);

/** @param problem why nobody else could be asked, as a sentence */
export function fromKubernetes(objects: Objects, group: GroupName, problem: string, now: number): GroupStatus {
  const found = masterServiceOf(objects, group);
  const service = found === undefined ? undefined : serviceFact(found);
  const pods = objects.pods.filter(inGroup(group));
  const instance = service?.selector[LABEL.instance];
  const routed = pods.filter(({ metadata }) => metadata?.labels?.[LABEL.instance] === instance);
  const names = routed.map(({ metadata }) => metadata?.name ?? "");
  return {
    ...group,
    source: "kubernetes",
    sourceProblem: problem,
    state: service?.halted === undefined ? "unknown" : "halted",
    halted: service?.halted,
    notices: [],
    master: names[0],
    masterSince: service?.record?.since,
    masterReason: service?.record?.reason,
    service: service?.name ?? "",
    outside: service?.outside,
    leadsTo: names,
    requests: Object.entries(service?.requests ?? {}).map(([key, value]) => `${key}=${value}`),
    pods: pods.map((pod) => podStatus(pod, names)),
    sentinels: undefined,
    last: undefined,
    seenAt: now,
  };
}

function podStatus(pod: Pod, routed: readonly string[]): PodStatus {
  const { name = "", labels = {}, deletionTimestamp } = pod.metadata ?? {};
  const hasRedis = labels[LABEL.redis] === "true";
  const label = labels[LABEL.role];
  const injected = labels[LABEL.instance] !== undefined;
  const asked = pod.metadata?.annotations?.[ANNOTATION.cluster] !== undefined || labels[LABEL.cluster] !== undefined;
  return {
    name,
    node: pod.spec?.nodeName,
    role: routed.includes(name) ? "master" : !hasRedis ? "sentinel" : label === "replica" ? "replica" : "unknown",
    link: "",
    offset: undefined,
    lagBytes: undefined,
    keys: undefined,
    sentinel: labels[LABEL.sentinel] === "true" ? "not asked" : "",
    ready: pod.status?.conditions?.find(({ type }) => type === "Ready")?.status === "True",
    note: [
      ...(asked && !injected ? ["not injected"] : []),
      ...(deletionTimestamp === undefined ? [] : ["terminating"]),
      ...(pod.status?.phase === "Running" ? [] : [pod.status?.phase ?? ""]),
    ].join(", "),
  };
}
