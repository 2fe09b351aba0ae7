import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Layout, type Machine, NETWORK_PREFIX, SERVICE_NETWORK } from "./layout.ts";
import { run } from "./process.ts";

const BRIDGE = "switch";
const TIMEOUT_MS = 20_000;

/**
 * Makes the network of a cluster: a namespace with a bridge, one namespace per machine with one cable to the bridge, and a
 * cable between the host and the control plane. Nothing in it has a way out.
 */
export async function makeNetwork(layout: Layout): Promise<void> {
  const machines: Machine[] = [layout.controlPlane, ...layout.nodes];
  await Promise.all([layout.switchNetns, ...machines.map((machine) => machine.netns)].map(makeNamespace));
  await inNamespace(layout.switchNetns, [`link add ${BRIDGE} type bridge`, `link set ${BRIDGE} up`, "link set lo up"]);
  await Promise.all(machines.map(async (machine) => await connect(layout, machine)));
  await linkToHost(layout);
}

/** Makes a network namespace that lives as long as its file is mounted; IPv6 is off, nothing here uses it. */
async function makeNamespace(file: string): Promise<void> {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "");
  const sysctls = [
    "net/ipv6/conf/all/disable_ipv6=1",
    "net/ipv6/conf/default/disable_ipv6=1",
    "net/ipv4/ip_forward=1",
    "net/ipv4/conf/all/rp_filter=0",
    "net/ipv4/conf/default/rp_filter=0",
  ];
  const settings = sysctls.map((setting) => setting.replace(/(.*)=(.*)/, "[ ! -e /proc/sys/$1 ] || echo $2 > /proc/sys/$1"));
  await run("unshare", [`--net=${file}`, "sh", "-ec", settings.join("\n")], { timeoutMs: TIMEOUT_MS });
}

/** Runs commands of ip(8) inside a namespace. */
async function inNamespace(netns: string, commands: readonly string[]): Promise<void> {
  const input = `${commands.join("\n")}\n`;
  await run("nsenter", [`--net=${netns}`, "ip", "-batch", "-"], { input, timeoutMs: TIMEOUT_MS });
}

async function connect(layout: Layout, machine: Machine): Promise<void> {
  const cable = `link add eth0 type veth peer name ${machine.name} netns ${layout.switchNetns}`;
  const services = `route add ${SERVICE_NETWORK} dev eth0`;
  const pods = layout.nodes
    .filter((node) => node.name !== machine.name)
    .map((node) => `route add ${node.podRange} via ${node.address}`);
  const neighbours = [layout.controlPlane, ...layout.nodes]
    .filter((other) => other.name !== machine.name)
    .map((other) => `neighbour add ${other.address} lladdr ${other.hardwareAddress} dev eth0 nud permanent`);
  await inNamespace(machine.netns, [
    cable,
    `link set eth0 address ${machine.hardwareAddress}`,
    "link set lo up",
    `address add ${machine.address}/${NETWORK_PREFIX} dev eth0`,
    "link set eth0 up",
    // What has no better route, a vanished pod's address too, is dropped in silence as on a real network.
    "route add blackhole default",
    // Without a route to them, local connections to a Service fail before kube-proxy's rules see them.
    services,
    ...pods,
    // Nobody has to ask for a neighbour, so that traffic to one that was cut off gets no answer at all, as behind a router,
    // and not "no route to host" after some seconds.
    ...neighbours,
  ]);
  await inNamespace(layout.switchNetns, [`link set ${machine.name} master ${BRIDGE}`, `link set ${machine.name} up`]);
}

/** The host reaches the API server, and only it, over a link-local net of two addresses. */
async function linkToHost(layout: Layout): Promise<void> {
  const { device, host, controlPlane } = layout.hostLink;
  const cable = `link add ${device} type veth peer name host0 netns ${layout.controlPlane.netns}`;
  const commands = [cable, `address add ${host}/30 dev ${device}`, `link set ${device} up`];
  await run("ip", ["-batch", "-"], { input: `${commands.join("\n")}\n`, timeoutMs: TIMEOUT_MS });
  await inNamespace(layout.controlPlane.netns, [`address add ${controlPlane}/30 dev host0`, "link set host0 up"]);
}

/** Cuts a machine off (its port at the bridge goes down), or joins it again. */
export async function setConnected(layout: Layout, machine: Machine, connected: boolean): Promise<void> {
  await inNamespace(layout.switchNetns, [`link set ${machine.name} ${connected ? "up" : "down"}`]);
}

/** Whether a machine's port at the bridge is up. */
export async function isConnected(layout: Layout, machine: Machine): Promise<boolean> {
  const args = [`--net=${layout.switchNetns}`, "ip", "-json", "link", "show", "dev", machine.name];
  const { stdout } = await run("nsenter", args, { timeoutMs: TIMEOUT_MS });
  const [link] = JSON.parse(stdout) as { flags: string[] }[];
  return link?.flags.includes("UP") === true;
}

/** Removes what of a cluster's network may be left; its processes must be gone. */
export async function removeNetwork(layout: Layout): Promise<void> {
  await run("ip", ["link", "delete", layout.hostLink.device], { allowFailure: true, timeoutMs: TIMEOUT_MS });
  for (const machine of [layout.controlPlane, ...layout.nodes]) rmSync(machine.netns, { force: true });
}
