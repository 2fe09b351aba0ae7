/**
 * The NetworkPolicy that a group may ask for: it limits who reaches the ports of Redis and Sentinel, and nothing else of the pods. Other groups never do, whatever
 * address they remember.
 */
import type { Kube } from "../../kube/client.ts";
import { isConflict, isNotFound } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { NetworkPolicy } from "../../kube/types.ts";
import type { GroupId, ServiceFact } from "../../model/facts.ts";
import { LABEL, MANAGED_BY, networkPolicyName, SENTINEL_PORT } from "../../model/names.ts";
import type { GroupSettings } from "../../model/settings.ts";
import { same } from "./same.ts";

const LAST_PORT = 65_535;

type Port = { readonly protocol: "TCP" | "UDP"; readonly port: number; readonly endPort?: number };

/** All ports but these: the user's other containers (an exporter, say) stay reachable as they were. */
function otherPorts(ours: readonly number[]): Port[] {
  const ports: Port[] = [{ protocol: "UDP", port: 1, endPort: LAST_PORT }];
  let from = 1;
  for (const port of [...ours].sort((a, b) => a - b)) {
    if (port > from) ports.push({ protocol: "TCP", port: from, endPort: port - 1 });
    from = port + 1;
  }
  if (from <= LAST_PORT) ports.push({ protocol: "TCP", port: from, endPort: LAST_PORT });
  return ports;
}

/** The spec for a group; for `none` one that lets everybody in: we have no right to delete. */
export function networkPolicySpec(group: GroupId, settings: GroupSettings, handlersNamespace: string): object {
  const own = { matchLabels: { [LABEL.cluster]: group.cluster } };
  const common = { podSelector: own, policyTypes: ["Ingress"] };
  if (settings.networkPolicy === "none") return { ...common, ingress: [{}] };
  const clients =
    settings.networkPolicy === "labelled"
      ? { matchLabels: { [LABEL.client]: group.cluster } }
      : { matchExpressions: [{ key: LABEL.cluster, operator: "DoesNotExist" }] };
  const handlers = {
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": handlersNamespace } },
    podSelector: { matchLabels: { [LABEL.appName]: MANAGED_BY } },
  };
  const ours = [...new Set([settings.port, SENTINEL_PORT])];
  return {
    ...common,
    ingress: [
      {
        from: [{ podSelector: own }, handlers, { podSelector: clients }],
        ports: ours.map((port) => ({ protocol: "TCP", port })),
      },
      { ports: otherPorts(ours) },
    ],
  };
}

/**
 * Makes the policy of a group, or changes it to what is wanted; where none is wanted and none is there, nothing. It belongs to the master Service and goes with it.
 * Returns whether anything was changed.
 */
export async function applyNetworkPolicy(
  kube: Kube,
  group: GroupId,
  settings: GroupSettings,
  handlersNamespace: string,
  service: ServiceFact,
): Promise<boolean> {
  const name = networkPolicyName(group.cluster);
  const path = PATH.networkPolicies(group.namespace, name);
  const spec = networkPolicySpec(group, settings, handlersNamespace);
  const present = await kube.get<NetworkPolicy>(path).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  if (present === undefined) {
    if (settings.networkPolicy === "none") return false;
    const labels = { [LABEL.cluster]: group.cluster, [LABEL.managedBy]: MANAGED_BY };
    const ownerReferences = [{ apiVersion: "v1", kind: "Service", name: service.name, uid: service.uid }];
    const metadata = { name, namespace: group.namespace, labels, ownerReferences };
    try {
      await kube.create(PATH.networkPolicies(group.namespace), {
        apiVersion: "networking.k8s.io/v1",
        kind: "NetworkPolicy",
        metadata,
        spec,
      });
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }
  // One of that name that somebody else made is theirs.
  if (present.metadata?.labels?.[LABEL.managedBy] !== MANAGED_BY || same(present.spec, spec)) return false;
  await kube.mergePatch(path, { metadata: { resourceVersion: present.metadata.resourceVersion }, spec });
  return true;
}
