/** The handlers themselves as what fails: away, or only their leader. */
import { PATH } from "../../../kube/paths.ts";
import type { Lease, Pod } from "../../../kube/types.ts";
import { type Bed, SYSTEM } from "./bed.ts";
import { waitUntil } from "./wait.ts";

const LEASE = "redis-ha-handlers";
const AWAY_MS = 60_000;

/** Runs `work` while no replica of the handlers (and of the webhook: no pod of a group can be made) runs. */
export async function withoutHandlers<T>(bed: Bed, work: () => Promise<T>): Promise<T> {
  const scale = async (replicas: number): Promise<unknown> =>
    await bed.kubectl(["-n", SYSTEM, "scale", "deployment", "redis-ha", `--replicas=${replicas}`]);
  const before = (await pods(bed)).length;
  try {
    await scale(0);
    await waitUntil("the handlers to be gone", AWAY_MS, async () => {
      const left = await pods(bed);
      if (left.length > 0) throw new Error(`${left.length} are left`);
    });
    return await work();
  } finally {
    await scale(before);
    await untilWell(bed);
  }
}

/** All replicas are there and Ready: what comes after a fault to them shall not meet it. */
export async function untilWell(bed: Bed): Promise<void> {
  await bed.kubectl(["-n", SYSTEM, "rollout", "status", "deployment/redis-ha", "--timeout=60s"], { timeoutMs: 70_000 });
}

/** The pod that holds the Lease. */
export async function leader(bed: Bed): Promise<string> {
  const lease = await bed.kube.get<Lease>(PATH.leases(SYSTEM, LEASE));
  const holder = lease.spec?.holderIdentity ?? "";
  const pod = (await pods(bed)).find(({ metadata }) => holder.includes(metadata?.name ?? " "));
  if (pod?.metadata?.name === undefined) throw new Error(`the holder of the Lease, "${holder}", is no pod of redis-ha`);
  return pod.metadata.name;
}

async function pods(bed: Bed): Promise<Pod[]> {
  const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM), { query: { labelSelector: "app.kubernetes.io/name=redis-ha" } });
  return items;
}
