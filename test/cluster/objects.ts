import type { Api } from "./api.ts";
import { CONTROL_PLANE_ADDRESS, DNS_SERVICE_ADDRESS } from "./layout.ts";

const RBAC = "/apis/rbac.authorization.k8s.io/v1";
const READ = ["get", "list", "watch"];

type Rule = { apiGroups: string[]; resources: string[]; verbs: string[] };

/** Makes the objects that a cluster's own parts need: rights, the DNS Service and the storage class. */
export async function createBaseObjects(api: Api): Promise<void> {
  const kubelet = { apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "redis-ha:kubelet-clients" };
  await Promise.all([
    bind(api, "redis-ha:kubelet-clients", "system:kubelet-api-admin", kubelet),
    grant(api, "redis-ha:coredns", [
      { apiGroups: [""], resources: ["endpoints", "services", "pods", "namespaces"], verbs: READ },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: READ },
    ]),
    grant(api, "redis-ha:volumes", [
      { apiGroups: [""], resources: ["persistentvolumes"], verbs: [...READ, "create", "delete"] },
      { apiGroups: [""], resources: ["persistentvolumeclaims"], verbs: READ },
    ]),
    dnsService(api),
    storageClass(api),
  ]);
}

/** Gives rights to the user of the same name as the role. */
async function grant(api: Api, name: string, rules: Rule[]): Promise<void> {
  await api.create(`${RBAC}/clusterroles`, { metadata: { name }, rules });
  await bind(api, name, name, { apiGroup: "rbac.authorization.k8s.io", kind: "User", name });
}

async function bind(api: Api, name: string, role: string, subject: object): Promise<void> {
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role };
  await api.create(`${RBAC}/clusterrolebindings`, { metadata: { name }, roleRef, subjects: [subject] });
}

/** CoreDNS is a process beside the API server, so its Service has no selector and its endpoints are written by hand. */
async function dnsService(api: Api): Promise<void> {
  const ports = (["UDP", "TCP"] as const).map((protocol) => ({ name: `dns-${protocol.toLowerCase()}`, port: 53, protocol }));
  const labels = { "k8s-app": "kube-dns" };
  await api.create("/api/v1/namespaces/kube-system/services", {
    metadata: { name: "kube-dns", labels },
    spec: { clusterIP: DNS_SERVICE_ADDRESS, ports },
  });
  await api.create("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", {
    metadata: { name: "kube-dns", labels: { ...labels, "kubernetes.io/service-name": "kube-dns" } },
    addressType: "IPv4",
    endpoints: [{ addresses: [CONTROL_PLANE_ADDRESS], conditions: { ready: true } }],
    ports,
  });
}

/** The name of the provisioner that volumes.ts is. */
export const PROVISIONER = "redis-ha.io/node-folders";
export const STORAGE_CLASS = "standard";

async function storageClass(api: Api): Promise<void> {
  await api.create("/apis/storage.k8s.io/v1/storageclasses", {
    metadata: { name: STORAGE_CLASS, annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
    provisioner: PROVISIONER,
    reclaimPolicy: "Delete",
    volumeBindingMode: "WaitForFirstConsumer",
  });
}
