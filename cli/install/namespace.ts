/** The namespace of redis-ha on its way out: Kubernetes removes what is in it first, and takes nothing new meanwhile. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Kube } from "../../kube/client.ts";
import { isNotFound } from "../../kube/error.ts";
import { SYSTEM_NAMESPACE } from "../../model/names.ts";
import { Problem } from "../exit.ts";
import { progress } from "../paper.ts";

const EVERY_MS = 300;

interface Namespace {
  readonly metadata?: { readonly deletionTimestamp?: string };
}

/**
 * Returns when the namespace is not being deleted (any more): at once where it lives, or is not there at all.
 * @throws Problem when it still goes after `withinMs`
 */
export async function untilNotGoing(kube: Pick<Kube, "get">, withinMs: number): Promise<void> {
  const start = performance.now();
  const wait = async (): Promise<void> => {
    while (await isGoing(kube)) {
      if (performance.now() - start > withinMs)
        throw new Problem(
          `namespace ${SYSTEM_NAMESPACE} is still being deleted after ${Math.round(withinMs / 1000)} s; what holds it: kubectl get namespace ${SYSTEM_NAMESPACE} -o yaml`,
        );
      await sleep(EVERY_MS);
    }
  };
  await progress(`waiting until the old namespace ${SYSTEM_NAMESPACE} is gone`, wait());
}

async function isGoing(kube: Pick<Kube, "get">): Promise<boolean> {
  try {
    const { metadata } = await kube.get<Namespace>(`/api/v1/namespaces/${SYSTEM_NAMESPACE}`);
    return metadata?.deletionTimestamp !== undefined;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
