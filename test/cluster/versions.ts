/** Every version that the cluster tool builds or installs, in one place. */

/** Kubernetes by minor version; the newest is the default, the others are built only when asked for. */
export const KUBERNETES: Readonly<Record<string, string>> = {
  "1.37": "1.37.2",
  "1.36": "1.36.3",
  "1.35": "1.35.4",
  "1.34": "1.34.4",
};
export const DEFAULT_KUBERNETES = "1.37";

export const CONTAINERD = "2.1.5";
export const RUNC = "1.3.4";
export const CNI_PLUGINS = "1.7.1";
export const COREDNS = "1.12.4";
/** Built only for `npm run test:cert-manager`. */
export const CERT_MANAGER = "1.21.2";
/** Only for `npm run test:monitoring` and `npm run test:chart`. */
export const PROMETHEUS = "0.316.0";
export const HELM = "3.22.0";
/** The name under which containerd and the kubelet look for the pause image. */
export const PAUSE_IMAGE = "registry.k8s.io/pause:3.10";

/** Debian packages of the host that the tool needs, and a file of each that tells whether it is there. */
export const DEBIAN_PACKAGES: Readonly<Record<string, string>> = {
  iptables: "/usr/sbin/iptables",
  conntrack: "/usr/sbin/conntrack",
  ethtool: "/usr/sbin/ethtool",
  socat: "/usr/bin/socat",
  debootstrap: "/usr/sbin/debootstrap",
  iproute2: "/usr/sbin/ip",
  nftables: "/usr/sbin/nft",
  "libseccomp-dev": "/usr/include/seccomp.h",
  "pkg-config": "/usr/bin/pkg-config",
  gcc: "/usr/bin/gcc",
  "util-linux": "/usr/bin/nsenter",
  buildah: "/usr/bin/buildah",
};

/** The full version of a minor one as given on the command line ("1.37" or "1.37.2"). */
export function kubernetesVersion(wanted: string = DEFAULT_KUBERNETES): string {
  const version = KUBERNETES[wanted] ?? Object.values(KUBERNETES).find((known) => known === wanted);
  if (version === undefined) {
    throw new Error(
      `Kubernetes ${wanted} is not known here; choose one of ${Object.keys(KUBERNETES).join(", ")} (test/cluster/versions.ts)`,
    );
  }
  return version;
}
