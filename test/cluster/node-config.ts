import { join } from "node:path";
import type { Binaries } from "./build/all.ts";
import { DNS_SERVICE_ADDRESS, type Layout, type NodeMachine } from "./layout.ts";
import { PAUSE_IMAGE } from "./versions.ts";

/** The configuration of a node's containerd. */
export function containerdConfig(node: NodeMachine, binaries: Binaries): string {
  const text = JSON.stringify;
  return `version = 3
root = ${text(join(node.dir, "containerd"))}
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.nri.v1.nri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]

[grpc]
  address = "/run/containerd/containerd.sock"

[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = ${text(PAUSE_IMAGE)}

[plugins.'io.containerd.cri.v1.runtime']
  # Without the right to lower an OOM score, runc could not even start.
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = [${text(binaries.cni)}]
    conf_dir = ${text(join(node.dir, "cni"))}
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = ${text(join(binaries.runc, "runc"))}
        SystemdCgroup = false
`;
}

/** What the CNI plugins call the pods' network. */
export const CNI_NETWORK = "pods";

/** A pod's network: one cable to its node and a route, so that pods of one node talk through the node's rules as well. */
export function cniConfig(node: NodeMachine): string {
  const plugins = [
    {
      type: "ptp",
      mtu: 1500,
      ipam: {
        type: "host-local",
        dataDir: join(node.dir, "ipam"),
        ranges: [[{ subnet: node.podRange, gateway: node.podGateway }]],
        routes: [{ dst: "0.0.0.0/0" }],
      },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ];
  return JSON.stringify({ cniVersion: "1.0.0", name: CNI_NETWORK, plugins }, null, 2);
}

/** The control group in which a node's kubelet keeps those of its pods (its name is the kubelet's own choice). */
export function podsCgroup(node: NodeMachine): string {
  return `${node.cgroup}/kubepods`;
}

/** The configuration of a node's kubelet. */
export function kubeletConfig(layout: Layout, node: NodeMachine, restartBackoffMaxS?: number): object {
  return {
    ...(restartBackoffMaxS === undefined ? {} : { crashLoopBackOff: { maxContainerRestartPeriod: `${restartBackoffMaxS}s` } }),
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(layout.certs, "ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: join(layout.certs, `${node.name}.crt`),
    tlsPrivateKeyFile: join(layout.certs, `${node.name}.key`),
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    clusterDNS: [DNS_SERVICE_ADDRESS],
    clusterDomain: "cluster.local",
    // The host's servers could not be reached from here.
    resolvConf: "",
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${node.cgroup}`,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    serializeImagePulls: false,
    // The disk is shared with everything else on this machine, so its filling up is not the node's matter.
    evictionHard: { "memory.available": "50Mi", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%" },
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
  };
}
