/** An installation for one namespace, with Roles only: it does its whole work there, and nothing anywhere else. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Pod, Secret } from "../../kube/types.ts";
import { LABEL } from "../../model/names.ts";
import { plainPod } from "./lib/admission-load.ts";
import { withNamespace } from "./lib/admission-space.ts";
import { type Bed, EXAMPLES, PROJECT, signal } from "./lib/bed.ts";
import { WHOLE_MS } from "./lib/group.ts";
import { askedBy, grantedBy, unusedOf } from "./lib/rights.ts";
import { test } from "./lib/scenario.ts";
import { scaleUs } from "./lib/us.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const ASKS = { "redis-ha.io/cluster": "cache" };
/** Rights that one short run has no reason to use. */
const RARE = [
  "patch /events",
  "get apps/replicasets",
  "get apps/deployments",
  "create networking.k8s.io/networkpolicies",
  "patch networking.k8s.io/networkpolicies",
  "create policy/poddisruptionbudgets",
  "patch policy/poddisruptionbudgets",
];

/** The overlay as its text says to copy it: with another namespace. */
function overlayFor(namespace: string, folder: string): string {
  cpSync(join(PROJECT, "manifests"), folder, { recursive: true });
  const overlay = join(folder, "overlays", "namespaced");
  for (const file of readdirSync(overlay)) {
    const path = join(overlay, file);
    writeFileSync(path, readFileSync(path, "utf8").replaceAll("team-a", namespace));
  }
  return overlay;
}

/** The two commands of docs/webhook.md. */
async function publishCa(bed: Bed, namespace: string): Promise<void> {
  const ca = await waitUntil("the CA of the installation", 60_000, async () => {
    const { data } = await bed.kube.get<Secret>(PATH.secrets(namespace, "redis-ha-webhook-tls"));
    if (data?.["ca.crt"] === undefined) throw new Error("the Secret has no ca.crt");
    return data["ca.crt"];
  });
  const operations = [0, 1].map((index) => ({ op: "add", path: `/webhooks/${index}/clientConfig/caBundle`, value: ca }));
  const target = ["mutatingwebhookconfiguration", `redis-ha-${namespace}`];
  await bed.kubectl(["patch", ...target, "--type=json", "-p", JSON.stringify(operations)]);
}

test("overlays/namespaced: a group runs and fails over with Roles only, and other namespaces are left alone", async ({
  bed,
  space,
}) => {
  if (!("cluster" in bed.where)) throw new Error("only a cluster of the cluster tool has an audit log");
  const { namespace } = space;
  const folder = mkdtempSync(join(tmpdir(), "redis-ha-overlay-"));
  // The installation of the other tests would look after the same group.
  await bed.kube.mergePatch(`/api/v1/namespaces/${namespace}`, { metadata: { labels: { [LABEL.injection]: "disabled" } } });
  await scaleUs(bed, 0);
  try {
    const overlay = overlayFor(namespace, folder);
    const { stdout } = await bed.kubectl(["kustomize", overlay]);
    expect(stdout).not.toMatch(/kind: Cluster/);
    await bed.kubectl(["apply", "-k", overlay]);
    await publishCa(bed, namespace);
    await bed.kubectl(["-n", namespace, "rollout", "status", "deployment/redis-ha", "--timeout=90s"], { timeoutMs: 100_000 });

    await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
    const group = space.group();
    const { master } = await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    await signal(bed, namespace, master, "redis", "SIGKILL");
    await waitUntil("another master", 60_000, async () => {
      const now = await group.whole(EXPECTED);
      if (now.master === master) throw new Error(`${master} is still master`);
    });

    await withNamespace(
      bed,
      async (other) => {
        // Nobody's now: the usual installation is scaled to nothing, and would refuse it.
        const pod = await bed.kube.create<Pod>(PATH.pods(other), plainPod("asks", ASKS));
        expect(pod.metadata?.labels ?? {}).not.toHaveProperty([LABEL.instance]);
        const { items } = await bed.kube.list<object>(PATH.services(other));
        expect(items).toEqual([]);
      },
      { [LABEL.injection]: "disabled" },
    );

    const asked = await askedBy(namespace, bed.where.cluster);
    expect([...asked.denied].map(([right, example]) => `${right} was denied: ${example}`)).toEqual([]);
    const granted = grantedBy("overlays/namespaced/role.yaml").filter(({ right }) => !RARE.includes(right));
    expect(unusedOf(granted, asked)).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
    await bed.kubectl(["delete", "mutatingwebhookconfiguration", `redis-ha-${namespace}`, "--ignore-not-found"]);
    await scaleUs(bed, 2);
  }
}, 300_000);
