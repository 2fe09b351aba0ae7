/** Doctor's look at NetworkPolicies that keep redis-ha and the pods of a group apart, each with a policy that lets them through. Pure. */
import { LABEL, SENTINEL_PORT, SERVER_LABELS } from "../../model/names.ts";
import { type Check, finding } from "./findings.ts";
import { type GroupPods, groupsOf } from "./group-pods.ts";
import { blocking, blockingEgress, type End } from "./network.ts";

export const networks: Check = (facts) => {
  const { policies, system, systemLabels } = facts;
  if (policies === undefined || policies.length === 0) return [];
  const handlers: End = { namespace: system, namespaceLabels: systemLabels, labels: SERVER_LABELS };
  return groupsOf(facts).flatMap((group) => {
    const { name, namespace, redis } = group;
    const ingress = new Set<string>();
    const egress = new Set<string>();
    for (const { pod, fact } of redis) {
      const labels = pod.metadata?.labels ?? {};
      const to: End = { namespace, namespaceLabels: { "kubernetes.io/metadata.name": namespace }, labels };
      for (const port of [fact.port, ...(fact.hasSentinel ? [SENTINEL_PORT] : [])]) {
        for (const policy of blocking(policies, handlers, to, port))
          ingress.add(`NetworkPolicy ${namespace}/${policy} keeps redis-ha away from port ${port}`);
        for (const policy of blocking(policies, to, to, port))
          ingress.add(`NetworkPolicy ${namespace}/${policy} keeps pods of the group away from each other's port ${port}`);
        for (const policy of blockingEgress(policies, handlers, to, port))
          egress.add(`NetworkPolicy ${system}/${policy} keeps redis-ha from reaching port ${port} of ${namespace}`);
      }
    }
    const found = (messages: ReadonlySet<string>, mend: string) =>
      messages.size === 0 ? [] : [finding("broken", "network", `${name}: ${[...messages].join("; ")}`, mend)];
    return [...found(ingress, letIn(group, system)), ...found(egress, letOut(group, system))];
  });
};

const portsOf = ({ redis }: GroupPods): object[] =>
  [...new Set([...redis.map(({ fact }) => fact.port), SENTINEL_PORT])].map((port) => ({ protocol: "TCP", port }));
const inNamespace = (name: string): object => ({ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } } });
const apply = (policy: object): string =>
  `echo '${JSON.stringify({ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", ...policy })}' | kubectl apply -f -`;

/** Policies add up, so one more is enough. Who else may come in is not its subject. */
function letIn(group: GroupPods, system: string): string {
  const own = { podSelector: { matchLabels: { [LABEL.cluster]: group.cluster } } };
  const handlers = { ...inNamespace(system), podSelector: { matchLabels: SERVER_LABELS } };
  const command = apply({
    metadata: { namespace: group.namespace, name: `${group.cluster}-let-redis-ha-in` },
    spec: { ...own, policyTypes: ["Ingress"], ingress: [{ from: [own, handlers], ports: portsOf(group) }] },
  });
  return `${command}   (clients need a rule of their own)`;
}

function letOut(group: GroupPods, system: string): string {
  const members = { ...inNamespace(group.namespace), podSelector: { matchLabels: { [LABEL.cluster]: group.cluster } } };
  return apply({
    metadata: { namespace: system, name: `redis-ha-to-${group.namespace}-${group.cluster}` },
    spec: {
      podSelector: { matchLabels: SERVER_LABELS },
      policyTypes: ["Egress"],
      egress: [{ to: [members], ports: portsOf(group) }],
    },
  });
}
