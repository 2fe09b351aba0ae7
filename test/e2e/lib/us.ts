/** The installation under test itself: how many replicas of it run, and what they count. */
import { text } from "node:stream/consumers";
import { PATH } from "../../../kube/paths.ts";
import type { Pod } from "../../../kube/types.ts";
import { type Bed, SYSTEM } from "./bed.ts";
import { isReady } from "./group.ts";
import { waitUntil } from "./wait.ts";

/** Returns when exactly so many pods of ours exist and are ready: with 0, when the last one is gone. */
export async function scaleUs(bed: Bed, replicas: number): Promise<void> {
  await bed.kubectl(["-n", SYSTEM, "scale", "deployment/redis-ha", `--replicas=${replicas}`]);
  await waitUntil(`${replicas} replicas of redis-ha`, 90_000, async () => {
    const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM));
    const ready = items.filter(isReady);
    if (items.length !== replicas || ready.length !== replicas) throw new Error(`${ready.length} ready of ${items.length}`);
  });
}

/** The pods of ours that run and stay. */
export async function ourPods(bed: Bed): Promise<Pod[]> {
  const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM), { query: { labelSelector: "app.kubernetes.io/name=redis-ha" } });
  return items.filter(({ status, metadata }) => status?.phase === "Running" && metadata?.deletionTimestamp === undefined);
}

/** What each replica of ours says of a series, like `name{label="value"}`: NaN where it does not know it. */
export async function countedByUs(bed: Bed, series: string): Promise<number[]> {
  return await Promise.all(
    (await ourPods(bed)).map(async ({ metadata }) => {
      const path = `/api/v1/namespaces/${SYSTEM}/pods/${metadata?.name}:8080/proxy/metrics`;
      const metrics = await text(await bed.kube.open(path));
      const line = metrics.split("\n").find((one) => one.startsWith(`${series} `));
      return Number(line?.slice(series.length));
    }),
  );
}

/** The sum of it over the replicas that know it. */
export async function countedByAllOfUs(bed: Bed, series: string): Promise<number> {
  const each = await countedByUs(bed, series);
  return each.filter((count) => !Number.isNaN(count)).reduce((sum, count) => sum + count, 0);
}
