/** What doctor sees of a whole installation with a whole group, and pieces to change it with. */
import { makeAuthority } from "../../../certs/authority.ts";
import type { Facts } from "../../../cli/doctor/findings.ts";
import type { NetworkPolicy } from "../../../cli/doctor/network.ts";
import type { GroupStatus } from "../../../cli/status/status.ts";
import type { CoreEvent, MutatingWebhookConfiguration, Pod } from "../../../kube/types.ts";

export const NOW = Date.now();
const DAY = 86_400_000;
const bundle = async (life: number, from: number): Promise<string> =>
  Buffer.from((await makeAuthority(life, from)).cert).toString("base64");
/** caBundles */
export const bundles = {
  good: await bundle(365 * DAY, NOW),
  ending: await bundle(10 * DAY, NOW - 8.5 * DAY),
  old: await bundle(DAY, NOW - 8 * DAY),
};

export const webhook = (caBundle: string, failurePolicy = "Fail"): MutatingWebhookConfiguration =>
  ({
    webhooks: [{ name: "pods.redis-ha.io", clientConfig: { caBundle }, failurePolicy }],
  }) as unknown as MutatingWebhookConfiguration;

export function redis(
  name: string,
  more: { node?: string; annotations?: object; image?: string; labels?: object; volume?: boolean } = {},
): Pod {
  return {
    metadata: {
      name,
      uid: name,
      namespace: "shop",
      creationTimestamp: new Date(NOW).toISOString(),
      ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "cache-7d9f", uid: "r", controller: true }],
      labels: {
        "redis-ha.io/cluster": "cache",
        "redis-ha.io/instance": name,
        "redis-ha.io/has-redis": "true",
        "redis-ha.io/has-sentinel": "true",
        app: "cache",
        "pod-template-hash": "7d9f",
        ...more.labels,
      },
      annotations: {
        "redis-ha.io/cluster": "cache",
        "redis-ha.io/container": "redis",
        "redis-ha.io/status": '{"version":"0.1.0"}',
        ...more.annotations,
      },
    },
    spec: {
      nodeName: more.node ?? `node-${name}`,
      containers: [{ name: "redis", image: more.image ?? "redis:7", volumeMounts: [{ name: "data", mountPath: "/data" }] }],
      volumes: more.volume === false ? [] : [{ name: "data", persistentVolumeClaim: { claimName: name } }],
    },
    status: { phase: "Running" },
  } as unknown as Pod;
}

export const group = (state: GroupStatus["state"], more: Partial<GroupStatus> = {}): GroupStatus =>
  ({ namespace: "shop", cluster: "cache", state, notices: [], halted: undefined, ...more }) as unknown as GroupStatus;

export const budget = (namespace: string, name: string) => ({ namespace, name, selector: { matchLabels: { app: "cache" } } });

export const healthy = (): Facts => ({
  version: "0.1.0",
  system: "redis-ha-system",
  kubernetes: "1.37",
  here: NOW,
  there: NOW + 300,
  nodeLeases: [{ node: "node-1", renewTime: new Date(NOW - 4000).toISOString() }],
  deployment: {
    spec: {
      replicas: 2,
      selector: {},
      template: { spec: { containers: [{ name: "redis-ha", image: "docker.io/redisha/redis-ha:0.1.0" }] } },
    },
    status: { readyReplicas: 2 },
  },
  serverPods: [{ metadata: { name: "one" } }],
  readiness: { one: "ok" },
  webhook: webhook(bundles.good),
  rights: [{ what: "patch services", allowed: true }],
  systemLabels: { "kubernetes.io/metadata.name": "redis-ha-system" },
  policies: [],
  pods: ["a", "b", "c"].map((name) => redis(name)),
  services: [],
  budgets: [budget("shop", "mine")],
  events: [],
  groups: [group("ok")],
  dnsEndpoints: 2,
  tlsSecrets: [],
  unread: [],
});

export const event = (count: number, agoMs: number): CoreEvent =>
  ({
    reason: "SelectorRepaired",
    count,
    metadata: { namespace: "shop" },
    involvedObject: { name: "cache-master" },
    lastTimestamp: new Date(NOW - agoMs).toISOString(),
  }) as unknown as CoreEvent;

export const DENY_ALL: NetworkPolicy = {
  metadata: { name: "deny", namespace: "shop" },
  spec: { podSelector: {}, policyTypes: ["Ingress"] },
};
