/** The chart on a cluster of the cluster tool: install, a group, upgrade, removal. Throws at the first thing that is not as it should be. */
import { join } from "node:path";
import { PATH } from "../../kube/paths.ts";
import type { Deployment } from "../../kube/types.ts";
import { buildHelm } from "../cluster/build/helm.ts";
import { buildProjectImages, down, kubeconfigPath, load, up } from "../cluster/cluster.ts";
import { run } from "../cluster/process.ts";
import { connectBed, EXAMPLES, SYSTEM } from "../e2e/lib/bed.ts";
import { ClientPod } from "../e2e/lib/client-pod.ts";
import { Group } from "../e2e/lib/group.ts";
import { waitUntil } from "../e2e/lib/wait.ts";

const SPACE = "chart-test";
const EXPECTED = { replicas: 2, sentinels: 3 };

export async function onCluster(name: string, chart: string): Promise<void> {
  await up({ name });
  const bed = connectBed({ cluster: name });
  try {
    const images = await buildProjectImages();
    await load(
      images.map(({ archive }) => archive),
      { name },
    );
    const program = await buildHelm();
    const helm = async (...args: string[]): Promise<void> => {
      await run(program, [...args, "--kubeconfig", kubeconfigPath({ name }), "-n", SYSTEM], { timeoutMs: 180_000 });
    };
    const server = async (): Promise<Deployment> => await bed.kube.get<Deployment>(PATH.deployments(SYSTEM, "redis-ha"));

    await helm("install", "redis-ha", chart, "--create-namespace", "--wait", "--timeout", "150s");
    await bed.kubectl(["create", "namespace", SPACE]);
    await waitUntil("the service account", 10_000, async () => {
      await bed.kube.get(`/api/v1/namespaces/${SPACE}/serviceaccounts/default`);
    });
    const group = new Group(bed, await ClientPod.start(bed, SPACE), SPACE);
    await bed.kubectl(["-n", SPACE, "apply", "-f", join(EXAMPLES, "quickstart.yaml")]);
    const { master } = await waitUntil("a whole group", 90_000, async () => await group.whole(EXPECTED));

    await helm("upgrade", "redis-ha", chart, "--set", "logLevel=debug,replicas=3", "--wait", "--timeout", "150s");
    require_((await server()).status?.readyReplicas === 3, "three replicas are ready after the upgrade");
    // What the server wrote into the webhook configuration at run time is kept: an annotated pod is still admitted and injected.
    await bed.kube.remove(PATH.pods(SPACE, master));
    await waitUntil("a whole group after a hand-over", 120_000, async () => {
      const { master: now } = await group.whole(EXPECTED);
      require_(now !== master, "another master");
    });

    const before = (await group.pods()).map(({ metadata }) => metadata?.uid).toSorted();
    await helm("uninstall", "redis-ha", "--wait", "--timeout", "120s");
    await group.ready(EXPECTED);
    const after = (await group.pods()).map(({ metadata }) => metadata?.uid).toSorted();
    require_(JSON.stringify(before) === JSON.stringify(after), "the same pods run after the removal");
  } finally {
    bed.close();
    await down({ name });
  }
}

function require_(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not so: ${what}`);
}
