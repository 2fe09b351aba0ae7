/** Before all tests of the real cluster: the cluster runs, and redis-ha is installed in it from this checkout. */
import { env } from "node:process";
import type { TestProject } from "vitest/node";
import { down, up } from "../../cluster/cluster.ts";
import { step } from "../../cluster/progress.ts";
import { connectBed, installFromSources } from "./bed.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** the name of the cluster */
    cluster: string;
  }
}

const IMAGES = ["redis:7", "redis:8", "valkey/valkey:8", "valkey/valkey:9"];

/** REDIS_HA_KEEP=1 leaves the cluster running, so that the next run starts at once. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const cluster = env.REDIS_HA_E2E_CLUSTER ?? "e2e";
  await up({ name: cluster, images: IMAGES });
  const bed = connectBed({ cluster });
  await step("install redis-ha from this checkout", async () => await installFromSources(bed, cluster));
  bed.close();
  project.provide("cluster", cluster);
  return async () => {
    if (env.REDIS_HA_KEEP !== "1") await down({ name: cluster });
  };
}
