/** The handlers themselves as what fails: away, or only their leader. */
import { podOfIdentity } from "../../../cli/identity.ts";
import { PATH } from "../../../kube/paths.ts";
import type { Deployment, Lease, Pod } from "../../../kube/types.ts";
import { type Bed, SYSTEM } from "./bed.ts";
import { waitUntil } from "./wait.ts";

const LEASE = "redis-ha-handlers";
const AWAY_MS = 60_000;
/** The Lease of one that died is taken after 3 s; a busy machine gets more, ms. */
const LED_MS = 20_000;

/** Runs `work` while no replica of the handlers (and of the webhook: no pod of a group can be made) runs. */
export async function withoutHandlers<T>(bed: Bed, work: () => Promise<T>): Promise<T> {
  const scale = async (replicas: number): Promise<unknown> =>
    await bed.kubectl(["-n", SYSTEM, "scale", "deployment", "redis-ha", `--replicas=${replicas}`]);
  const { spec } = await bed.kube.get<Deployment>(PATH.deployments(SYSTEM, "redis-ha"));
  const before = spec?.replicas ?? 1;
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

/** The process that holds the Lease, by its identity: one that was restarted in the same pod is another one. Waits while nobody does. */
export async function leadingProcess(bed: Bed): Promise<string> {
  return await waitUntil("a holder of the handlers' Lease", LED_MS, async () => {
    const lease = await bed.kube.get<Lease>(PATH.leases(SYSTEM, LEASE));
    const identity = lease.spec?.holderIdentity ?? "";
    if (identity === "") throw new Error("nobody holds it");
    return identity;
  });
}

/** The pod of the process that holds the Lease. */
export async function leader(bed: Bed): Promise<string> {
  return podOf(await leadingProcess(bed));
}

/** The pod of such a process. */
export const podOf = (identity: string): string => podOfIdentity(identity) ?? "";

async function pods(bed: Bed): Promise<Pod[]> {
  const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM), { query: { labelSelector: "app.kubernetes.io/name=redis-ha" } });
  return items;
}
