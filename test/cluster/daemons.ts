import { basename, join } from "node:path";
import { env } from "node:process";
import { daemonsFile, processesIn } from "./cgroups.ts";
import type { Layout, Machine } from "./layout.ts";
import { commandOf, startDaemon } from "./process.ts";

/** Writes its own id into a control group and becomes the wanted program, so no process is ever outside its machine's group. */
const JOIN = 'echo $$ > "$1" && shift && exec "$@"';

/** Until then a process that was just started may not have joined its machine's group. */
const JOINING_MS = 2000;

/**
 * Starts a program again when it ended, as the service manager of a real node does. Five short lives in a row end that: such a
 * program would never run.
 */
const KEEP = `short=0
while [ $short -lt 5 ]; do
  began=$(date +%s)
  "$@"
  echo "ended with $?, after $(($(date +%s) - began)) s"
  if [ $(($(date +%s) - began)) -lt 10 ]; then short=$((short + 1)); else short=0; fi
  sleep 1
done`;

/** The command line that keeps a program running. */
export function kept(command: readonly string[]): string[] {
  return ["sh", "-c", KEEP, "sh", ...command];
}

/** The command line that runs a program inside a machine: in its control group, its network and, where given, its mounts. */
export function insideMachine(machine: Machine, command: readonly string[], mountsOf?: number): string[] {
  // Never by `ip netns exec`: it mounts /sys anew, and a kubelet finds no control groups there.
  const mounts = mountsOf === undefined ? [] : [`--mount=/proc/${mountsOf}/ns/mnt`];
  return ["sh", "-c", JOIN, "sh", daemonsFile(machine.cgroup), "nsenter", `--net=${machine.netns}`, ...mounts, "--", ...command];
}

/** The log file of a daemon of a machine. */
export function logOf(layout: Layout, machine: Machine, name: string): string {
  return join(layout.logs, `${machine.name}-${name}.log`);
}

/** Starts a daemon inside a machine, with its output in the cluster's logs folder; returns its process id. */
export async function startInside(
  layout: Layout,
  machine: Machine,
  command: readonly string[],
  options: { name?: string; path?: readonly string[]; mountsOf?: number; hostNetwork?: boolean } = {},
): Promise<number> {
  const grouped = ["sh", "-c", JOIN, "sh", daemonsFile(machine.cgroup)];
  const line = options.hostNetwork === true ? [...grouped, ...command] : insideMachine(machine, command, options.mountsOf);
  const [program = "", ...args] = line;
  const name = options.name ?? basename(command[0] ?? "");
  const path = [...(options.path ?? []), "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"].join(":");
  return await startDaemon(program, args, logOf(layout, machine, name), { ...cleanEnvironment(), PATH: path });
}

/** The environment without what would send local requests to a proxy or a service manager. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const unwanted = /proxy$|^NOTIFY_SOCKET$|^KUBECONFIG$|^GO(DEBUG|MAXPROCS|MEMLIMIT)$/i;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !unwanted.test(name)));
}

/** The id of a running daemon of a machine by its program's name, or undefined. */
export function daemonPid(machine: Machine, name: string): number | undefined {
  return processesIn(machine.cgroup).find((id) => basename(commandOf(id)[0] ?? "") === name);
}

/** Tells, for waitFor, whether a daemon that was just started still runs, or whoever starts it (again). */
export function stillRuns(machine: Machine, name: string): () => boolean {
  const started = performance.now();
  const runs = (): boolean => processesIn(machine.cgroup).some((id) => commandOf(id).some((word) => basename(word) === name));
  return () => performance.now() - started < JOINING_MS || runs();
}
