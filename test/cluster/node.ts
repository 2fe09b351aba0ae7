import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Binaries } from "./build/all.ts";
import { killCgroup, removeCgroup } from "./cgroups.ts";
import { containerdAnswers, ctr } from "./ctr.ts";
import { insideMachine, kept, logOf, startInside, stillRuns } from "./daemons.ts";
import { innerServer, writeKubeconfig } from "./kubeconfig.ts";
import { type Layout, type NodeMachine, POD_NETWORK } from "./layout.ts";
import { cniConfig, containerdConfig, kubeletConfig, podsCgroup } from "./node-config.ts";
import { run, waitFor } from "./process.ts";
import { readRecord } from "./state.ts";

const SOCKET_TIMEOUT_MS = 20_000;

/**
 * A node has a mount namespace of its own, in which /run and /var/log are its own folders: all its programs use their usual
 * paths, nothing of them appears on the host, and its mounts vanish with its last process as on a real machine.
 */
const OWN_MOUNTS = 'mount --make-rshared / && mount --bind "$1/run" /run && mount --bind "$1/log" /var/log && shift && exec "$@"';

/** The socket of a node's containerd, as the host sees it. */
export function containerdSocket(node: NodeMachine): string {
  return join(node.dir, "run", "containerd", "containerd.sock");
}

/** Starts containerd on a node and waits until it answers; returns its process id, whose mounts are the node's. */
export async function startContainerd(layout: Layout, binaries: Binaries, node: NodeMachine): Promise<number> {
  // As after a real boot, /run is empty.
  rmSync(join(node.dir, "run"), { recursive: true, force: true });
  for (const name of ["run", "log", "cni", "containerd", "kubelet", "volumes"])
    mkdirSync(join(node.dir, name), { recursive: true });
  const config = join(node.dir, "containerd.toml");
  writeFileSync(config, containerdConfig(node, binaries));
  writeFileSync(join(node.dir, "cni", "10-pods.conflist"), cniConfig(node));
  const containerd = [join(binaries.containerd, "containerd"), "--config", config];
  const ownMounts = ["unshare", "--mount", "--propagation", "private", "sh", "-c", OWN_MOUNTS, "sh", node.dir];
  const path = [binaries.containerd, binaries.runc];
  const pid = await startInside(layout, node, [...ownMounts, ...kept(containerd)], { name: "containerd", path });
  const log = logOf(layout, node, "containerd");
  await waitFor(
    {
      what: `containerd on ${node.name}`,
      timeoutMs: SOCKET_TIMEOUT_MS,
      everyMs: 50,
      log,
      hopeful: stillRuns(node, "containerd"),
    },
    async () => {
      return await containerdAnswers(binaries, containerdSocket(node));
    },
  );
  return pid;
}

/** Brings the images of docker-archives onto a running node. */
export async function importImages(binaries: Binaries, node: NodeMachine, archives: readonly string[]): Promise<void> {
  for (const archive of archives) await ctr(binaries, containerdSocket(node), ["images", "import", archive]);
}

/** Starts the kubelet and kube-proxy of a node, in the mounts of its containerd. */
export async function startKubelet(layout: Layout, binaries: Binaries, node: NodeMachine, containerdPid: number): Promise<void> {
  const kubeconfig = join(node.dir, "kubelet.kubeconfig");
  writeKubeconfig(layout, node.name, innerServer(layout), kubeconfig);
  const config = join(node.dir, "kubelet.json");
  writeFileSync(config, JSON.stringify(kubeletConfig(layout, node, readRecord(layout.name)?.restartBackoffMaxS), null, 2));
  const inside = { mountsOf: containerdPid };
  await startInside(
    layout,
    node,
    kept([
      join(binaries.kubernetes, "kubelet"),
      `--config=${config}`,
      `--kubeconfig=${kubeconfig}`,
      `--root-dir=${join(node.dir, "kubelet")}`,
      `--cert-dir=${join(node.dir, "kubelet", "pki")}`,
      `--node-ip=${node.address}`,
      `--hostname-override=${node.name}`,
    ]),
    { ...inside, name: "kubelet" },
  );
  const proxyKubeconfig = join(node.dir, "kube-proxy.kubeconfig");
  writeKubeconfig(layout, "kube-proxy", innerServer(layout), proxyKubeconfig);
  await startInside(
    layout,
    node,
    kept([
      join(binaries.kubernetes, "kube-proxy"),
      `--kubeconfig=${proxyKubeconfig}`,
      `--hostname-override=${node.name}`,
      "--proxy-mode=iptables",
      `--cluster-cidr=${POD_NETWORK}`,
      // The table of connections is the whole machine's; its size is not a node's to change.
      "--conntrack-max-per-core=0",
    ]),
    { ...inside, name: "kube-proxy" },
  );
}

/**
 * Ends every process of a node at one stroke, as when its power fails; its disk stays. Its pods' control groups go too: after a
 * real boot there are none, and a kubelet that finds some waits 3 s for each before it starts a pod (cAdvisor asks containerd).
 */
export async function killNode(node: NodeMachine): Promise<void> {
  await killCgroup(node.cgroup);
  await removeCgroup(podsCgroup(node));
}

/** Runs a command inside a node's network until it ends, with its output returned. */
export async function runInside(node: NodeMachine, command: readonly string[], timeoutMs: number): Promise<string> {
  const [program = "", ...args] = insideMachine(node, command);
  return (await run(program, args, { timeoutMs })).stdout;
}
