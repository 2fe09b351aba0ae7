import { installPackages } from "./debian.ts";
import { buildKubernetes } from "./kubernetes.ts";
import { buildCniPlugins, buildContainerd, buildCoreDns, buildPause, buildRunc } from "./node-tools.ts";

/** The folders of all programs of a cluster. */
export type Binaries = { kubernetes: string; containerd: string; runc: string; cni: string; coredns: string; pause: string };

/** Builds every program that is not cached yet, one after the other because each build uses all cores. */
export async function buildBinaries(kubernetesVersion: string): Promise<Binaries> {
  await installPackages();
  const pause = await buildPause();
  const containerd = await buildContainerd();
  const runc = await buildRunc();
  const cni = await buildCniPlugins();
  const coredns = await buildCoreDns();
  const kubernetes = await buildKubernetes(kubernetesVersion);
  return { kubernetes, containerd, runc, cni, coredns, pause };
}
