/** The Kubernetes cluster that tests and the demo work on: one of the cluster tool's, or the user's own by a context of the kubeconfig. */
import { basename, join } from "node:path";
import type { Access } from "../../../kube/access.ts";
import { connectKube, type Kube } from "../../../kube/client.ts";
import { isNotFound } from "../../../kube/error.ts";
import { kubeconfigAccess, kubeconfigFiles } from "../../../kube/kubeconfig.ts";
import { PATH } from "../../../kube/paths.ts";
import type { Deployment } from "../../../kube/types.ts";
import { buildProjectImages, kubectl as clusterKubectl, containerPid, kubeconfigPath, load } from "../../cluster/cluster.ts";
import { type RunOptions, type RunResult, run } from "../../cluster/process.ts";

export const PROJECT = join(import.meta.dirname, "..", "..", "..");
export const SYSTEM = "redis-ha-system";
export const EXAMPLES = join(PROJECT, "manifests", "examples");
const OVERLAY = join(PROJECT, "manifests", "overlays", "default");

/** Which cluster: the tool's by its name, or any other by its context. */
export type Where = { readonly cluster: string } | { readonly context: string };

export interface Bed {
  readonly where: Where;
  readonly kube: Kube;
  kubectl(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** How a person calls kubectl for this cluster. */
  readonly kubectlText: string;
  close(): void;
}

/** Where that cluster's API server is, for those who speak to it with a client of their own. */
export function accessOf(where: Where): Access {
  return "cluster" in where
    ? kubeconfigAccess([kubeconfigPath({ name: where.cluster })])
    : kubeconfigAccess(kubeconfigFiles(), where.context);
}

/** Connects to a cluster that runs. */
export function connectBed(where: Where): Bed {
  const access = "cluster" in where ? { kubeconfig: kubeconfigPath({ name: where.cluster }) } : { context: where.context };
  const kube = connectKube({ ...access, userAgent: "redis-ha-test", timeoutMs: 15_000 });
  return {
    where,
    kube,
    kubectl: async (args, options = {}) =>
      "cluster" in where
        ? await clusterKubectl(args, { name: where.cluster, ...options })
        : await run("kubectl", ["--context", where.context, ...args], { timeoutMs: 120_000, ...options }),
    kubectlText:
      "cluster" in where ? `npm run --silent cluster -- kubectl --name ${where.cluster}` : `kubectl --context ${where.context}`,
    close: () => kube.close(),
  };
}

/** Written on the installed Deployment: from which images it was started. */
const INSTALLED = "redis-ha-test/images";

/** Installs redis-ha as the README says, from the manifests, and waits until it answers. */
export async function install(bed: Bed): Promise<void> {
  await bed.kubectl(["apply", "-k", OVERLAY]);
  await untilRolledOut(bed);
}

/**
 * Builds the project's images, brings them onto the nodes of one of the tool's clusters and installs from the manifests.
 * What runs from these very images already is left as it is; older ones are replaced by a rollout.
 */
export async function installFromSources(bed: Bed, cluster: string): Promise<void> {
  const images = await buildProjectImages();
  const wanted = images.map(({ archive }) => basename(archive)).join(" ");
  const before = await deployment(bed);
  const running = before?.metadata?.annotations?.[INSTALLED];
  if (running !== wanted) {
    await load(
      images.map(({ archive }) => archive),
      { name: cluster },
    );
  }
  await install(bed);
  if (running === wanted) return;
  if (before !== undefined) {
    await bed.kubectl(["-n", SYSTEM, "rollout", "restart", "deployment/redis-ha"]);
    await untilRolledOut(bed);
  }
  await bed.kubectl(["-n", SYSTEM, "annotate", "--overwrite", "deployment/redis-ha", `${INSTALLED}=${wanted}`]);
}

async function untilRolledOut(bed: Bed): Promise<void> {
  await bed.kubectl(["-n", SYSTEM, "rollout", "status", "deployment/redis-ha", "--timeout=120s"], { timeoutMs: 130_000 });
}

export async function isInstalled(bed: Bed): Promise<boolean> {
  return (await deployment(bed)) !== undefined;
}

/** The image of the server: it holds Node, so the neutral client runs in it too. */
export async function serverImage(bed: Bed): Promise<string> {
  const found = await deployment(bed);
  const image = found?.spec?.template.spec?.containers[0]?.image;
  if (image === undefined) throw new Error("redis-ha is not installed in this cluster");
  return image;
}

async function deployment(bed: Bed): Promise<Deployment | undefined> {
  try {
    return await bed.kube.get<Deployment>(PATH.deployments(SYSTEM, "redis-ha"));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Sends a signal to the first process of a container: kill -9 as a machine's out-of-memory killer does it. Only in the tool's clusters. */
export async function signal(bed: Bed, namespace: string, pod: string, container: string, name: NodeJS.Signals): Promise<void> {
  if (!("cluster" in bed.where)) throw new Error("processes can be signalled only in a cluster of the cluster tool");
  process.kill(await containerPid(namespace, pod, container, { name: bed.where.cluster }), name);
}
