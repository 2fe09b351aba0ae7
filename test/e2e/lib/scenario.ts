/** `test` for the real cluster: each test gets a namespace of its own with a client pod in it, and its failure is explained. */
import { env } from "node:process";
import { test as base, inject } from "vitest";
import { type Bed, connectBed } from "./bed.ts";
import { ClientPod } from "./client-pod.ts";
import { diagnose } from "./diagnose.ts";
import { Group } from "./group.ts";
import { makeNamespace, removeNamespace } from "./namespace.ts";
import { say } from "./wait.ts";

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
    const namespace = await makeNamespace(bed);
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
    else await removeNamespace(bed, namespace);
  },
});
