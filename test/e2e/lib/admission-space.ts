/** A namespace for tests of admission alone: no client in it, so it is there at once. */
import { randomBytes } from "node:crypto";
import type { Bed } from "./bed.ts";
import { waitUntil } from "./wait.ts";

export async function withNamespace(
  bed: Bed,
  use: (namespace: string) => Promise<void>,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const name = `t-${randomBytes(3).toString("hex")}`;
  await bed.kube.create("/api/v1/namespaces", { metadata: { name, labels: { "redis-ha-test": "true", ...labels } } });
  await waitUntil(`the service account of ${name}`, 15_000, async () => {
    await bed.kube.get(`/api/v1/namespaces/${name}/serviceaccounts/default`);
  });
  try {
    await use(name);
  } finally {
    await bed.kubectl(
      ["-n", name, "delete", "deployments,replicasets,pods", "--all", "--force", "--grace-period=0", "--wait=false"],
      {
        allowFailure: true,
      },
    );
    await bed.kube.remove(`/api/v1/namespaces/${name}`);
  }
}
