/** The living pods of each group, and the commands that change their workloads. Pure. */
import { podFact } from "../../handlers/watch/pod-fact.ts";
import type { Pod } from "../../kube/types.ts";
import type { PodFact } from "../../model/facts.ts";
import { LABEL } from "../../model/names.ts";
import type { Facts } from "./findings.ts";

export interface GroupPods {
  /** NAMESPACE/GROUP */
  readonly name: string;
  readonly namespace: string;
  readonly cluster: string;
  readonly redis: readonly { readonly pod: Pod; readonly fact: PodFact }[];
  readonly sentinels: readonly Pod[];
}

export function groupsOf({ pods }: Pick<Facts, "pods">): GroupPods[] {
  const found = new Map<string, { pod: Pod; fact: PodFact }[]>();
  for (const pod of pods) {
    const fact = podFact(pod, () => false);
    const cluster = pod.metadata?.labels?.[LABEL.cluster];
    if (fact === undefined || cluster === undefined || fact.terminating || fact.ended) continue;
    const key = `${pod.metadata?.namespace}/${cluster}`;
    found.set(key, [...(found.get(key) ?? []), { pod, fact }]);
  }
  return [...found].map(([name, all]) => ({
    name,
    namespace: name.split("/")[0] ?? "",
    cluster: name.split("/")[1] ?? "",
    redis: all.filter(({ fact }) => fact.hasRedis),
    sentinels: all.flatMap(({ pod, fact }) => (fact.hasSentinel ? [pod] : [])),
  }));
}

/** `deployment cache`, as kubectl takes it; by the names that a Deployment gives to its ReplicaSets. Whose pods have no such owner: `deployment NAME`. */
export function workloadOf(pod: Pod | undefined): string {
  const owner = pod?.metadata?.ownerReferences?.find(({ controller }) => controller === true);
  const hash = pod?.metadata?.labels?.["pod-template-hash"];
  if (owner?.kind === "StatefulSet") return `statefulset ${owner.name}`;
  const isDeployment = owner?.kind === "ReplicaSet" && hash !== undefined && owner.name.endsWith(`-${hash}`);
  return `deployment ${isDeployment ? owner.name.slice(0, -hash.length - 1) : "NAME"}`;
}

/** `kubectl -n shop`, the namespace of a pod */
export const kubectlFor = (pod: Pod | undefined): string => `kubectl -n ${pod?.metadata?.namespace ?? "NAMESPACE"}`;

export const scale = (pod: Pod | undefined, replicas: number): string =>
  `${kubectlFor(pod)} scale ${workloadOf(pod)} --replicas=${replicas}`;

/**
 * Sets an annotation in the pod template. `kubectl annotate` of the workload would not do: where the template has a value of its own, that one wins
 * (webhook/inject/workload.ts).
 */
export function annotate(pod: Pod | undefined, key: string, value: string): string {
  const patch = { spec: { template: { metadata: { annotations: { [key]: value } } } } };
  return `${kubectlFor(pod)} patch ${workloadOf(pod)} -p '${JSON.stringify(patch)}'`;
}
