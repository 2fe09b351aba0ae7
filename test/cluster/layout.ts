import { join } from "node:path";
import { STATE } from "./paths.ts";

/** Addresses inside a cluster. All clusters use the same ones, because each has namespaces of its own. */
export const CONTROL_PLANE_ADDRESS = "172.30.0.10";
export const NETWORK_PREFIX = 24;
export const POD_NETWORK = "10.244.0.0/16";
export const SERVICE_NETWORK = "10.96.0.0/16";
export const API_SERVICE_ADDRESS = "10.96.0.1";
export const DNS_SERVICE_ADDRESS = "10.96.0.10";
export const API_PORT = 6443;
export const MAX_CLUSTERS = 64;
export const MAX_NODES = 9;

/** A machine of the cluster: the control plane or a node. */
export type Machine = {
  name: string;
  /** The folder of its files. */
  dir: string;
  address: string;
  /** The address of its network card. */
  hardwareAddress: string;
  /** The pinned network namespace. */
  netns: string;
  /** The path of its control group below each hierarchy. */
  cgroup: string;
};

export type NodeMachine = Machine & { podRange: string; podGateway: string };

export type Layout = {
  name: string;
  dir: string;
  logs: string;
  certs: string;
  cgroup: string;
  kubeconfig: string;
  /** The namespace with the bridge that joins the machines. */
  switchNetns: string;
  controlPlane: Machine;
  nodes: NodeMachine[];
  /** The link between the host and the control plane: its name and the two ends' addresses (a /30 net). */
  hostLink: { device: string; host: string; controlPlane: string };
};

/** Where everything of a cluster is; a pure function of its name, its number on this machine and its number of nodes. */
export function layoutOf(name: string, index: number, nodeCount: number): Layout {
  const dir = join(STATE, name);
  const cgroup = `redis-ha-${name}`;
  const machine = (id: string, address: string): Machine => ({
    name: id,
    dir: join(dir, id),
    address,
    hardwareAddress: `02:00:${address
      .split(".")
      .map((part) => Number(part).toString(16).padStart(2, "0"))
      .join(":")}`,
    netns: join(dir, "net", id),
    cgroup: `${cgroup}/${id}`,
  });
  const nodes = Array.from({ length: nodeCount }, (_, position) => {
    const number = position + 1;
    const range = { podRange: `10.244.${number}.0/24`, podGateway: `10.244.${number}.1` };
    return { ...machine(`node-${number}`, `172.30.0.${10 + number}`), ...range };
  });
  return {
    name,
    dir,
    logs: join(dir, "logs"),
    certs: join(dir, "certs"),
    cgroup,
    kubeconfig: join(dir, "kubeconfig"),
    switchNetns: join(dir, "net", "switch"),
    controlPlane: machine("control-plane", CONTROL_PLANE_ADDRESS),
    nodes,
    // Link-local addresses, far from the one that clouds use for their metadata.
    hostLink: { device: `rha${index}`, host: `169.254.${64 + index}.2`, controlPlane: `169.254.${64 + index}.1` },
  };
}

/** The machine of a name ("node-1", "control-plane"), or an error that lists the names. */
export function machineOf(layout: Layout, name: string): Machine {
  const machines: Machine[] = [layout.controlPlane, ...layout.nodes];
  const found = machines.find((machine) => machine.name === name);
  if (found === undefined)
    throw new Error(
      `no machine "${name}" in cluster ${layout.name}: there are ${machines.map((machine) => machine.name).join(", ")}`,
    );
  return found;
}

/** The node of a name, or an error that lists the names. */
export function nodeOf(layout: Layout, name: string): NodeMachine {
  const found = layout.nodes.find((node) => node.name === name);
  if (found === undefined)
    throw new Error(`no node "${name}" in cluster ${layout.name}: there are ${layout.nodes.map((node) => node.name).join(", ")}`);
  return found;
}
