/** Single steps that faults are made of. */
import { setTimeout as sleep } from "node:timers/promises";
import { PATH } from "../../../kube/paths.ts";
import type { Lease, Pod } from "../../../kube/types.ts";
import { INJECTED } from "../../../model/names.ts";
import { containerPid } from "../../../test/cluster/cluster.ts";
import { SYSTEM, signal } from "../../../test/e2e/lib/bed.ts";
import { waitUntil } from "../../../test/e2e/lib/wait.ts";
import { FAULTS } from "../../failover/faults.ts";
import type { Allowed, MatrixFault, Scene } from "../fault.ts";

export const seconds = async (count: number): Promise<void> => await sleep(count * 1000);

const ANOTHER_MS = 90_000;

/** Waits until the Service leads to another pod than before the fault. */
export async function untilAnotherMaster({ ours, pod }: Scene): Promise<void> {
  await waitUntil("another master", ANOTHER_MS, async () => {
    if ((await ours.master()).pod === pod) throw new Error(`${pod} is still named`);
  });
}

/** A fault of the benchmark, taken back when the Service leads to another master. */
export function ofBenchmark(name: string, allowed: Allowed): MatrixFault {
  const fault = FAULTS[name];
  if (fault === undefined) throw new Error(`the benchmark has no fault ${name}`);
  return {
    what: fault.what,
    allowed,
    act: async (scene) => {
      const victim = { stack: scene.ours, pod: scene.pod, node: scene.node };
      await fault.make(victim);
      if (fault.anyMaster !== true) await untilAnotherMaster(scene);
      await fault.undo?.(victim);
    },
  };
}

/** The first process of the master's redis, resolved before the fault so that a kill takes no time. */
export async function masterPid({ ours, pod }: Scene): Promise<number> {
  return await containerPid(ours.namespace, pod, "redis", { name: ours.cluster });
}

export async function signalRedis({ ours }: Scene, pod: string, name: NodeJS.Signals): Promise<void> {
  await signal(ours.bed, ours.namespace, pod, "redis", name);
}

/** The process of a pod's sentinel. */
export async function sentinelPid({ ours }: Scene, pod: string): Promise<number> {
  return await containerPid(ours.namespace, pod, INJECTED.sentinelContainer, { name: ours.cluster });
}

/** The group's other pods. */
export async function others({ ours, pod }: Scene): Promise<Pod[]> {
  return (await ours.group.pods()).filter(({ metadata }) => metadata?.name !== pod);
}

export const nameOf = (pod: Pod | undefined): string => pod?.metadata?.name ?? "";

/** The processes of the handlers, the leading one first. */
export async function handlerPids({ ours }: Pick<Scene, "ours">): Promise<number[]> {
  const { bed } = ours;
  const leases = await bed.kube.list<Lease>(PATH.leases(SYSTEM));
  const holders = leases.items.map(({ spec }) => spec?.holderIdentity ?? "");
  const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM), { query: { labelSelector: "app.kubernetes.io/name=redis-ha" } });
  const names = items.map(nameOf);
  const leads = (name: string): boolean => holders.some((holder) => holder.startsWith(name));
  const ordered = [...names.filter(leads), ...names.filter((name) => !leads(name))];
  return await Promise.all(ordered.map(async (name) => await containerPid(SYSTEM, name, "redis-ha", { name: ours.cluster })));
}

export function kill(...pids: readonly number[]): void {
  for (const pid of pids) process.kill(pid, "SIGKILL");
}
