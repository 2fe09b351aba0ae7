/** Namespaces of tests: made ready for pods, and removed in a hurry. */
import { randomBytes } from "node:crypto";
import type { Bed } from "./bed.ts";
import { waitUntil } from "./wait.ts";

/** Makes a namespace in which pods can be made, and returns its name. */
export async function makeNamespace(bed: Bed): Promise<string> {
  const namespace = `t-${randomBytes(3).toString("hex")}`;
  await bed.kube.create("/api/v1/namespaces", { metadata: { name: namespace, labels: { "redis-ha-test": "true" } } });
  await waitUntil(`the service account of ${namespace}`, 10_000, async () => {
    await bed.kube.get(`/api/v1/namespaces/${namespace}/serviceaccounts/default`);
  });
  return namespace;
}

/** By force: nobody watches any more, and the next test should have the machine for itself. */
export async function removeNamespace(bed: Bed, namespace: string): Promise<void> {
  await bed.kubectl(["-n", namespace, "delete", "deployments,statefulsets", "--all", "--cascade=orphan", "--wait=false"], {
    allowFailure: true,
  });
  await bed.kubectl(["-n", namespace, "delete", "replicasets,pods", "--all", "--force", "--grace-period=0", "--wait=false"], {
    allowFailure: true,
  });
  await bed.kube.remove(`/api/v1/namespaces/${namespace}`);
}

/** Runs `work` with a second namespace beside the test's own. */
export async function inOtherNamespace<T>(bed: Bed, work: (namespace: string) => Promise<T>): Promise<T> {
  const namespace = await makeNamespace(bed);
  try {
    return await work(namespace);
  } finally {
    await removeNamespace(bed, namespace);
  }
}
