/** Paths of the API's collections and objects. Without a namespace: the collection of all namespaces. */

type PathOf = (namespace?: string, name?: string, subresource?: string) => string;

function namespaced(root: string, plural: string): PathOf {
  return (namespace, name, subresource) =>
    [
      root,
      ...(namespace === undefined ? [] : ["namespaces", encodeURIComponent(namespace)]),
      plural,
      ...(name === undefined ? [] : [encodeURIComponent(name)]),
      ...(subresource === undefined ? [] : [subresource]),
    ].join("/");
}

export const PATH = {
  pods: namespaced("/api/v1", "pods"),
  services: namespaced("/api/v1", "services"),
  secrets: namespaced("/api/v1", "secrets"),
  events: namespaced("/api/v1", "events"),
  persistentVolumeClaims: namespaced("/api/v1", "persistentvolumeclaims"),
  endpointSlices: namespaced("/apis/discovery.k8s.io/v1", "endpointslices"),
  networkPolicies: namespaced("/apis/networking.k8s.io/v1", "networkpolicies"),
  podDisruptionBudgets: namespaced("/apis/policy/v1", "poddisruptionbudgets"),
  leases: namespaced("/apis/coordination.k8s.io/v1", "leases"),
  deployments: namespaced("/apis/apps/v1", "deployments"),
  statefulSets: namespaced("/apis/apps/v1", "statefulsets"),
  replicaSets: namespaced("/apis/apps/v1", "replicasets"),
  nodes: (name?: string): string => `/api/v1/nodes${name === undefined ? "" : `/${encodeURIComponent(name)}`}`,
  webhookConfigurations: (name?: string): string =>
    `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations${name === undefined ? "" : `/${encodeURIComponent(name)}`}`,
} as const;

/** Escapes one segment of a JSON pointer: "redis-ha.io/cluster" → "redis-ha.io~1cluster". */
export const pointer = (segment: string): string => segment.replaceAll("~", "~0").replaceAll("/", "~1");
