/** A StatefulSet with volumes, three pods on two nodes, and how all of them are gone at once after one replica missed the last writes. */
import { expect } from "vitest";
import { REQUEST } from "../../../model/names.ts";
import { type Bed, signal } from "./bed.ts";
import { seed } from "./data.ts";
import { type Group, WHOLE_MS } from "./group.ts";
import type { Space } from "./scenario.ts";
import { say, waitUntil } from "./wait.ts";

export const EXPECTED = { replicas: 2, sentinels: 3 };
export const KEYS = 10_000;

export function manifest(appendonly: boolean, annotations: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ cluster: "store", ...annotations }).map(([key, value]) => `redis-ha.io/${key}: "${value}"`);
  return `
apiVersion: v1
kind: Service
metadata: { name: store }
spec: { clusterIP: None, selector: { app: store }, ports: [{ name: redis, port: 6379 }] }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: store }
spec:
  serviceName: store
  replicas: 3
  podManagementPolicy: Parallel
  selector: { matchLabels: { app: store } }
  template:
    metadata:
      labels: { app: store }
      annotations: { ${lines.join(", ")} }
    spec:
      # A stopped process is killed after it.
      terminationGracePeriodSeconds: 8
      topologySpreadConstraints:
        - { maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: { matchLabels: { app: store } } }
      containers:
        - name: redis
          image: docker.io/library/redis:7
          imagePullPolicy: IfNotPresent
          args: [--appendonly, "${appendonly ? "yes" : "no"}"]
          ports: [{ containerPort: 6379 }]
          volumeMounts: [{ name: data, mountPath: /data }]
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }
`;
}

export interface Outage {
  readonly group: Group;
  /** the last master's pod, alone on its node */
  readonly last: string;
  readonly node: string;
  readonly other: string;
  /** replicas on the other node: one that has everything, one that misses the last writes */
  readonly fresh: string;
  readonly stale: string;
}

/** A whole group whose master is alone on its node, with KEYS keys on all three and written to their disks, and KEYS more that one replica has missed. */
export async function groupWithStaleReplica(bed: Bed, space: Space, yaml: string): Promise<Outage> {
  const group = space.group("store");
  await space.apply({ yaml });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const nodes = new Map((await group.pods()).map(({ metadata, spec }) => [metadata?.name ?? "", spec?.nodeName ?? ""]));
  const names = [...nodes.keys()];
  const last = names.find((name) => names.filter((other) => nodes.get(other) === nodes.get(name)).length === 1);
  const node = nodes.get(last ?? "");
  if (last === undefined || node === undefined) throw new Error(`no pod is alone on its node: ${JSON.stringify([...nodes])}`);
  if ((await group.master()).name !== last) {
    await bed.kubectl(["-n", space.namespace, "annotate", "service", "store-master", `${REQUEST.handover}=${last}`]);
    await waitUntil(`${last} to be master`, 30_000, async () => expect((await group.master()).name).toBe(last));
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  }
  const [stale, fresh] = names.filter((name) => name !== last);
  const other = nodes.get(fresh ?? "");
  if (stale === undefined || fresh === undefined || other === undefined) throw new Error("no two replicas");
  await seed(group, "old", KEYS, "kept", 2);
  for (const { ip } of await group.redises()) await group.client.command(await group.at(ip), "BGSAVE");
  await waitUntil("everybody's snapshot", 20_000, async () => {
    for (const { ip } of await group.redises()) {
      const info = String(await group.client.command(await group.at(ip), "INFO", "persistence"));
      if (!info.includes("rdb_bgsave_in_progress:0") || !info.includes("rdb_last_bgsave_status:ok"))
        throw new Error(`${ip} is saving`);
    }
  });
  await signal(bed, space.namespace, stale, "redis", "SIGSTOP");
  await seed(group, "old", KEYS, "newer", 1);
  await seed(group, "late", KEYS, "kept", 1);
  say(`last master ${last} on ${node}; ${stale} missed the last writes, ${fresh} has them`);
  return { group, last, node, other, fresh, stale };
}

/**
 * All pods at once, the replicas a moment earlier, so that nobody is left to hand over to. The nodes take no new pod before all are gone, and the last
 * master's none until it is opened again.
 */
export async function outage(bed: Bed, { group, last, fresh, stale, node, other }: Outage): Promise<void> {
  await goneFrom(bed, group, [fresh, stale, last], [node, other]);
  await bed.kubectl(["uncordon", other]);
}

/** The pods are deleted, and their nodes take no new ones. Cordoned first they would hand over. */
export async function goneFrom(bed: Bed, group: Group, pods: readonly string[], nodes: readonly string[]): Promise<void> {
  const before = new Set(
    (await group.pods()).flatMap(({ metadata }) => (pods.includes(metadata?.name ?? "") ? [metadata?.uid] : [])),
  );
  await bed.kubectl(["-n", group.namespace, "delete", "pods", ...pods, "--wait=false"]);
  await bed.kubectl(["cordon", ...nodes]);
  await waitUntil(`${pods.join(", ")} to be gone`, 60_000, async () => {
    const left = (await group.pods({ terminating: true })).filter(({ metadata }) => before.has(metadata?.uid));
    if (left.length > 0) throw new Error(left.map(({ metadata }) => metadata?.name).join(", "));
  });
}

export async function masters(group: Group): Promise<string[]> {
  return (await group.redises()).filter(({ role }) => role === "master").map(({ pod }) => pod);
}
