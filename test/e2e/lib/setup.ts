/** Before all tests of the real cluster: the cluster runs, and redis-ha is installed in it from this checkout. */
import { env } from "node:process";
import type { TestProject } from "vitest/node";
import { PATH } from "../../../kube/paths.ts";
import type { Node } from "../../../kube/types.ts";
import { down, load, up } from "../../cluster/cluster.ts";
import { step } from "../../cluster/progress.ts";
import { type Bed, connectBed, installFromSources } from "./bed.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** the name of the cluster */
    cluster: string;
  }
}

const IMAGES = [
  "docker.io/library/redis:7",
  "docker.io/library/redis:8",
  "docker.io/valkey/valkey:8",
  "docker.io/valkey/valkey:9",
];

/** REDIS_HA_KEEP=1 leaves the cluster running, so that the next run starts at once; REDIS_HA_KEEP=all also the namespaces of failed tests. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = env.REDIS_HA_E2E_CLUSTER ?? "e2e";
  // Of all that our service account asks: admission-rights.test.ts looks into it.
  await up({ name: cluster, images: IMAGES, auditLog: true });
  const bed = connectBed({ cluster });
  // What an interrupted run, or a failed test that was kept, has left.
  await bed.kubectl(["delete", "namespaces", "-l", "redis-ha-test=true", "--wait=false"]);
  await loadMissing(bed, cluster);
  await step("install redis-ha from this checkout", async () => await installFromSources(bed, cluster));
  bed.close();
  project.provide("cluster", cluster);
  return async () => {
    if (env.REDIS_HA_KEEP === undefined) await down({ name: cluster });
  };
}

/** A cluster that ran already may have been started with fewer images. */
async function loadMissing(bed: Bed, cluster: string): Promise<void> {
  const { items } = await bed.kube.list<Node>(PATH.nodes());
  const missing = IMAGES.filter(
    (image) => !items.every((node) => node.status?.images?.some(({ names }) => names?.includes(image))),
  );
  if (missing.length > 0) await step(`load ${missing.join(", ")}`, async () => await load(missing, { name: cluster }));
}
