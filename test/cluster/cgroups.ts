import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { kill } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Control groups do two things here: kubelets make the groups of their pods below their node's group, and every process of a
 * machine, daemon or container, can be found and killed by its machine's group, whatever became of its parents.
 */
type Hierarchies = {
  /** Whether there is only the new, unified hierarchy. */
  unified: boolean;
  /** Where groups are made for pods. */
  roots: string[];
  /** The hierarchy in which each process is found by its machine. */
  tracking: string;
  /** Where groups may have been made, by container runtimes too. */
  all: string[];
};

const PATIENCE_MS = 15_000;
const REAP_PATIENCE_MS = 300;

function hierarchies(): Hierarchies {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" - "));
  const ofType = (type: string): string[] =>
    mounts.flatMap(([left, right]) => (right?.startsWith(`${type} `) === true ? (left?.split(" ")[4] ?? []) : []));
  const old = [...new Set(ofType("cgroup"))];
  const [unified] = ofType("cgroup2");
  if (old.length === 0) {
    if (unified === undefined) throw new Error("no control groups are mounted on this machine (/sys/fs/cgroup)");
    return { unified: true, roots: [unified], tracking: unified, all: [unified] };
  }
  const tracking = old.find((root) => root.endsWith("/freezer"));
  if (tracking === undefined) throw new Error("the freezer control group is not mounted on this machine");
  return { unified: false, roots: old, tracking, all: unified === undefined ? old : [...old, unified] };
}

/** Makes a group in every hierarchy, ready for a kubelet's pods below it. */
export function makeCgroup(path: string): void {
  const { roots, unified } = hierarchies();
  for (const root of roots) {
    let current = root;
    for (const part of path.split("/")) {
      if (unified) enableControllers(current);
      current = join(current, part);
      mkdirSync(current, { recursive: true });
      // A cpuset group starts without a CPU and a memory node, and then takes no process.
      for (const file of ["cpuset.cpus", "cpuset.mems"]) inherit(current, file);
    }
    if (unified) enableControllers(current);
  }
}

function enableControllers(group: string): void {
  const controllers = readFileSync(join(group, "cgroup.controllers"), "utf8").trim();
  const wanted = controllers
    .split(" ")
    .filter((name) => name !== "")
    .map((name) => `+${name}`);
  writeFileSync(join(group, "cgroup.subtree_control"), wanted.join(" "));
}

function inherit(group: string, file: string): void {
  const own = join(group, file);
  if (!existsSync(own) || readFileSync(own, "utf8").trim() !== "") return;
  const inherited = readFileSync(join(dirname(group), file), "utf8").trim();
  if (inherited !== "") writeFileSync(own, inherited);
}

/** The file into which a process writes its id to belong to the daemons of a machine. */
export function daemonsFile(cgroup: string): string {
  const group = join(hierarchies().tracking, cgroup, "daemons");
  mkdirSync(group, { recursive: true });
  return join(group, "cgroup.procs");
}

/** All processes of a group and the groups below it. */
export function processesIn(cgroup: string): number[] {
  return groupsBelow(join(hierarchies().tracking, cgroup)).flatMap((group) => readProcesses(group));
}

function readProcesses(group: string): number[] {
  try {
    return readFileSync(join(group, "cgroup.procs"), "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map(Number);
  } catch {
    // The group vanished with its last process.
    return [];
  }
}

/** A group and all below it, the innermost first. */
function groupsBelow(group: string): string[] {
  if (!existsSync(group)) return [];
  const inner = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [...inner.flatMap((entry) => groupsBelow(join(group, entry.name))), group];
}

/** Kills every process of a group at one stroke (none can react to the end of another), and waits until they are gone. */
export async function killCgroup(cgroup: string): Promise<void> {
  const { tracking, unified } = hierarchies();
  const group = join(tracking, cgroup);
  const end = performance.now() + PATIENCE_MS;
  const killed = new Set<number>();
  while (processesIn(cgroup).length > 0) {
    if (performance.now() > end) throw new Error(`cannot kill the processes ${processesIn(cgroup).join(", ")} of ${group}`);
    const freezer = join(group, "freezer.state");
    if (!unified) writeFileSync(freezer, "FROZEN");
    if (unified) writeFileSync(join(group, "cgroup.kill"), "1");
    for (const id of processesIn(cgroup)) {
      killed.add(id);
      killQuietly(id);
    }
    if (!unified) writeFileSync(freezer, "THAWED");
    await sleep(20);
  }
  // The machine's first process takes the dead ones away; that it is slow is no error.
  const reaped = performance.now() + REAP_PATIENCE_MS;
  while ([...killed].some((id) => existsSync(`/proc/${id}`)) && performance.now() < reaped) await sleep(20);
}

function killQuietly(id: number): void {
  try {
    kill(id, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

/** Removes a group and all below it from every hierarchy; its processes must be gone. */
export async function removeCgroup(cgroup: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (const root of hierarchies().all) {
    // A group stays busy for a moment after its last process.
    while (!tryRemove(join(root, cgroup))) {
      if (performance.now() > end) throw new Error(`the control group ${join(root, cgroup)} stays busy`);
      await sleep(20);
    }
  }
}

function tryRemove(group: string): boolean {
  try {
    for (const inner of groupsBelow(group)) rmdirSync(inner);
    return true;
  } catch {
    return false;
  }
}

/** The folders of a group that still exist, in any hierarchy. */
export function remainingCgroups(cgroup: string): string[] {
  return hierarchies()
    .all.map((root) => join(root, cgroup))
    .filter((group) => existsSync(group));
}
