import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectApi } from "./api.ts";
import { type Layout, nodeOf } from "./layout.ts";
import { DEFAULT_NAME } from "./lifecycle.ts";
import type { Choice } from "./operate.ts";
import { commandOf } from "./process.ts";
import { runningLayout } from "./state.ts";

type ContainerStatus = { name: string; containerID?: string; state?: { running?: object } };
type Pod = {
  spec: { nodeName?: string };
  status: { containerStatuses?: ContainerStatus[]; initContainerStatuses?: ContainerStatus[] };
};

/** The process id, on the host, of the first process of a running container (sidecars too), to kill or stop it from a test. */
export async function containerPid(namespace: string, pod: string, container: string, choice: Choice = {}): Promise<number> {
  const layout = runningLayout(choice.name ?? DEFAULT_NAME);
  const { node, id } = await findContainer(layout, namespace, pod, container);
  const file = join(nodeOf(layout, node).dir, "run/containerd/io.containerd.runtime.v2.task/k8s.io", id, "init.pid");
  if (!existsSync(file)) throw new Error(`container ${container} of ${namespace}/${pod} does not run on ${node} any more`);
  return Number(readFileSync(file, "utf8"));
}

/** All processes of a running container with their command lines, the first process first. */
export async function containerProcesses(
  namespace: string,
  pod: string,
  container: string,
  choice: Choice = {},
): Promise<{ pid: number; command: string[] }[]> {
  const first = await containerPid(namespace, pod, container, choice);
  const group = readFileSync(`/proc/${first}/cgroup`, "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const [, , path = ""] = group.find(([, controllers]) => controllers === "freezer") ?? group.find(([id]) => id === "0") ?? [];
  const root = existsSync("/sys/fs/cgroup/freezer") ? "/sys/fs/cgroup/freezer" : "/sys/fs/cgroup";
  const ids = readFileSync(join(root, path, "cgroup.procs"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map(Number);
  return ids.sort((one, other) => one - other).map((pid) => ({ pid, command: commandOf(pid) }));
}

async function findContainer(
  layout: Layout,
  namespace: string,
  name: string,
  container: string,
): Promise<{ node: string; id: string }> {
  const api = connectApi(layout);
  try {
    const pod = await api.get<Pod>(`/api/v1/namespaces/${namespace}/pods/${name}`);
    if (pod === undefined) throw new Error(`no pod ${namespace}/${name}`);
    const all = [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])];
    const status = all.find((candidate) => candidate.name === container);
    const id = status?.containerID?.split("//")[1];
    if (pod.spec.nodeName === undefined || id === undefined || status?.state?.running === undefined) {
      throw new Error(
        `container ${container} of ${namespace}/${name} does not run; there are ${all.map((one) => one.name).join(", ") || "none"}`,
      );
    }
    return { node: pod.spec.nodeName, id };
  } finally {
    api.close();
  }
}

/** Sets the memory limit of a running container, as its pod's own limit would; beyond it the kernel kills the container's process. It ends with the container. */
export async function limitMemory(
  namespace: string,
  pod: string,
  container: string,
  bytes: number,
  choice: Choice = {},
): Promise<void> {
  const pid = await containerPid(namespace, pod, container, choice);
  const groups = readFileSync(`/proc/${pid}/cgroup`, "utf8")
    .split("\n")
    .map((line) => line.split(":"));
  const old = groups.find(([, controllers]) => controllers?.split(",").includes("memory"));
  const [, , path = ""] = old ?? groups.find(([id]) => id === "0") ?? [];
  const file =
    old === undefined ? join("/sys/fs/cgroup", path, "memory.max") : join("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes");
  writeFileSync(file, String(bytes));
}

/** How many processes of this machine the kernel has killed for want of memory since it booted (`oom_kill` of /proc/vmstat). */
export function oomKills(): number {
  const found = /^oom_kill (\d+)$/m.exec(readFileSync("/proc/vmstat", "utf8"))?.[1];
  if (found === undefined) throw new Error("this kernel does not count oom_kill in /proc/vmstat");
  return Number(found);
}

/** Makes a node give an address to its next pod, as soon as that address is free: as it happens by itself when the range is used up. */
export function giveAddressNext(node: string, address: string, choice: Choice = {}): void {
  const layout = runningLayout(choice.name ?? DEFAULT_NAME);
  const folder = join(nodeOf(layout, node).dir, "ipam", "pods");
  if (existsSync(join(folder, address))) throw new Error(`${address} is still in use on ${node}`);
  const [a, b, c, d] = address.split(".");
  writeFileSync(join(folder, "last_reserved_ip.0"), `${a}.${b}.${c}.${Number(d) - 1}`);
}
