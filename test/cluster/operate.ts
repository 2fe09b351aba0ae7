import { join } from "node:path";
import { env } from "node:process";
import { buildBinaries } from "./build/all.ts";
import { auditLogFiles } from "./controlplane.ts";
import { daemonPid, insideMachine } from "./daemons.ts";
import { archivesOf } from "./images/catalog.ts";
import { machineOf, nodeOf } from "./layout.ts";
import { DEFAULT_NAME } from "./lifecycle.ts";
import { setConnected } from "./network.ts";
import { importImages, killNode, startContainerd, startKubelet } from "./node.ts";
import { type RunOptions, type RunResult, run } from "./process.ts";
import { readRecord, runningLayout } from "./state.ts";

/** Which cluster is meant. */
export type Choice = { name?: string };

function layoutFor(choice: Choice): ReturnType<typeof runningLayout> {
  return runningLayout(choice.name ?? DEFAULT_NAME);
}

async function binariesFor(choice: Choice): ReturnType<typeof buildBinaries> {
  const record = readRecord(layoutFor(choice).name);
  if (record === undefined) throw new Error(`the cluster ${choice.name ?? DEFAULT_NAME} vanished`);
  return await buildBinaries(record.kubernetes);
}

/** The kubeconfig of a cluster's administrator, for any program on this machine. */
export function kubeconfigPath(choice: Choice = {}): string {
  return layoutFor(choice).kubeconfig;
}

/** The files of the API server's audit log, oldest first; it is written only in a cluster that was started with `auditLog`. */
export function auditLogPaths(choice: Choice = {}): string[] {
  return auditLogFiles(layoutFor(choice));
}

/** The client certificate of one of the cluster's own parts (certs.ts), as files. */
export function certificateFiles(part: string, choice: Choice = {}): { cert: string; key: string } {
  const { certs } = layoutFor(choice);
  return { cert: join(certs, `${part}.crt`), key: join(certs, `${part}.key`) };
}

/** The names of a cluster's nodes. */
export function nodeNames(choice: Choice = {}): string[] {
  return layoutFor(choice).nodes.map((node) => node.name);
}

/** The program, the arguments and the environment of a kubectl that speaks to the cluster. */
export async function kubectlCommand(
  args: readonly string[],
  choice: Choice = {},
): Promise<{ command: string; args: string[]; env: NodeJS.ProcessEnv }> {
  const binaries = await binariesFor(choice);
  const layout = layoutFor(choice);
  // kubectl's memory of the API would otherwise stay in the user's home.
  const own = { KUBECONFIG: layout.kubeconfig, KUBECACHEDIR: join(layout.dir, "kubectl") };
  return { command: join(binaries.kubernetes, "kubectl"), args: [...args], env: { ...env, ...own } };
}

/** Runs kubectl to its end, for instance `kubectl(["apply", "-f", "-"], { input: yaml })`. */
export async function kubectl(args: readonly string[], options: Choice & RunOptions = {}): Promise<RunResult> {
  const wanted = await kubectlCommand(args, options);
  return await run(wanted.command, wanted.args, { timeoutMs: 120_000, ...options, env: wanted.env });
}

/** Brings images onto every node: names of the tool's own images ("redis:8") or tar files (docker-archives). */
export async function load(images: readonly string[], choice: Choice = {}): Promise<void> {
  const layout = layoutFor(choice);
  const binaries = await binariesFor(choice);
  const archives = await archivesOf(images);
  await Promise.all(layout.nodes.map(async (node) => await importImages(binaries, node, archives)));
}

/** Cuts a machine (a node or "control-plane") off from all others; nothing tells the other side. */
export async function partition(machine: string, choice: Choice = {}): Promise<void> {
  const layout = layoutFor(choice);
  await setConnected(layout, machineOf(layout, machine), false);
}

/** Ends a partition. */
export async function heal(machine: string, choice: Choice = {}): Promise<void> {
  const layout = layoutFor(choice);
  await setConnected(layout, machineOf(layout, machine), true);
}

/** The command line that runs a program in a machine's network (a node or "control-plane"), for those who start it themselves. */
export function nodeCommand(machine: string, command: readonly string[], choice: Choice = {}): string[] {
  return insideMachine(machineOf(layoutFor(choice), machine), command);
}

/** Runs a program in a machine's network to its end; it ends with the machine when that loses its power. */
export async function nodeExec(
  machine: string,
  command: readonly string[],
  options: Choice & RunOptions = {},
): Promise<RunResult> {
  const [program = "", ...args] = nodeCommand(machine, command, options);
  return await run(program, args, options);
}

/** Ends everything on a node at one stroke and takes it off the network, as when its power fails. Its disk stays. */
export async function poweroff(name: string, choice: Choice = {}): Promise<void> {
  const layout = layoutFor(choice);
  const node = nodeOf(layout, name);
  await setConnected(layout, node, false);
  await killNode(node);
}

/** Boots a node again after `poweroff`. */
export async function poweron(name: string, choice: Choice = {}): Promise<void> {
  const layout = layoutFor(choice);
  const node = nodeOf(layout, name);
  const binaries = await binariesFor(choice);
  await killNode(node);
  await setConnected(layout, node, true);
  await startKubelet(layout, binaries, node, await startContainerd(layout, binaries, node));
}

/** Sends a signal to a daemon of a machine, for instance SIGSTOP to the "kube-apiserver" of the "control-plane". */
export function signalDaemon(machine: string, daemon: string, signal: NodeJS.Signals, choice: Choice = {}): void {
  const pid = daemonPid(machineOf(layoutFor(choice), machine), daemon);
  if (pid === undefined) throw new Error(`no ${daemon} runs on ${machine}`);
  process.kill(pid, signal);
}
