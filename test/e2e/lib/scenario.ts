/** `test` for the real cluster: each test gets a namespace of its own with a client pod in it, and its failure is explained. */
import { randomBytes } from "node:crypto";
import { env } from "node:process";
import { test as base, inject } from "vitest";
import { type Bed, connectBed } from "./bed.ts";
import { ClientPod } from "./client-pod.ts";
import { diagnose } from "./diagnose.ts";
import { Group } from "./group.ts";
import { say, waitUntil } from "./wait.ts";

export interface Space {
  readonly namespace: string;
  readonly client: ClientPod;
  /** The view of a group in this namespace; `anew` forgets what was known of an earlier one of that name. */
  group(cluster?: string, options?: { anew?: boolean }): Group;
  /** kubectl apply in this namespace, of a file or of YAML text. */
  apply(source: { file: string } | { yaml: string }): Promise<void>;
}

interface Fixtures {
  bed: Bed;
  space: Space;
}

export const test = base.extend<Fixtures>({
  // biome-ignore lint/correctness/noEmptyPattern: the test runner reads the names from this very pattern
  bed: async ({}, use) => {
    const bed = connectBed({ cluster: inject("cluster") });
    await use(bed);
    bed.close();
  },
  space: async ({ bed, task }, use) => {
    const namespace = `t-${randomBytes(3).toString("hex")}`;
    await bed.kube.create("/api/v1/namespaces", { metadata: { name: namespace, labels: { "redis-ha-test": "true" } } });
    await waitForAccount(bed, namespace);
    const client = await ClientPod.start(bed, namespace);
    const groups = new Map<string, Group>();
    await use({
      namespace,
      client,
      group: (cluster = "cache", { anew = false } = {}) => {
        const known = anew ? undefined : groups.get(cluster);
        const group = known ?? new Group(bed, client, namespace, cluster);
        groups.set(cluster, group);
        return group;
      },
      apply: async (source) => {
        if ("file" in source) await bed.kubectl(["-n", namespace, "apply", "-f", source.file]);
        else await bed.kubectl(["-n", namespace, "apply", "-f", "-"], { input: source.yaml });
      },
    });
    if (task.result?.state === "fail")
      say(`${task.name} in ${namespace}\n${await diagnose(bed, namespace, [...groups.values()])}`);
    if (env.REDIS_HA_KEEP === "all" && task.result?.state === "fail") say(`kept: namespace ${namespace}`);
    else await remove(bed, namespace);
  },
});

/** A pod can be made only once the namespace has its service account. */
async function waitForAccount(bed: Bed, namespace: string): Promise<void> {
  await waitUntil(`the service account of ${namespace}`, 10_000, async () => {
    await bed.kube.get(`/api/v1/namespaces/${namespace}/serviceaccounts/default`);
  });
}

/** By force: nobody watches any more, and the next test should have the machine for itself. */
async function remove(bed: Bed, namespace: string): Promise<void> {
  await bed.kubectl(["-n", namespace, "delete", "deployments,statefulsets", "--all", "--cascade=orphan", "--wait=false"], {
    allowFailure: true,
  });
  await bed.kubectl(["-n", namespace, "delete", "replicasets,pods", "--all", "--force", "--grace-period=0", "--wait=false"], {
    allowFailure: true,
  });
  await bed.kube.remove(`/api/v1/namespaces/${namespace}`);
}
