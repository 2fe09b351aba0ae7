import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { killCgroup, remainingCgroups, removeCgroup } from "./cgroups.ts";
import { restoreHostSettings } from "./host-settings.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { removeNetwork } from "./network.ts";
import { STATE } from "./paths.ts";
import { commandOf, run } from "./process.ts";
import { listClusters, readRecord } from "./state.ts";

/** Removes everything of a cluster from the machine, whether it runs well or was left over from a crash. */
export async function removeCluster(layout: Layout): Promise<void> {
  await killCgroup(layout.cgroup);
  for (const mount of mountsBelow(layout.dir)) await run("umount", ["--lazy", mount], { timeoutMs: 20_000 });
  await Promise.all([removeNetwork(layout), removeCgroup(layout.cgroup)]);
  rmSync(layout.dir, { recursive: true, force: true });
  if (listClusters().length > 0) return;
  restoreHostSettings();
  if (existsSync(STATE) && readdirSync(STATE).length === 0) rmdirSync(STATE);
}

/** What is left of a cluster on this machine, in words; nothing after `down`. */
export function leftovers(name: string): string[] {
  const { dir, cgroup, hostLink } = layoutOf(name, readRecord(name)?.index ?? 0, 0);
  const record = readRecord(name);
  const mentions = readdirSync("/proc").filter(
    (id) => /^\d+$/.test(id) && commandOf(Number(id)).some((word) => word.includes(join(dir, "/"))),
  );
  return [
    ...mentions.map((id) => `process ${id}: ${commandOf(Number(id)).join(" ").slice(0, 100)}`),
    ...mountsBelow(dir).map((point) => `mount ${point}`),
    ...remainingCgroups(cgroup).map((group) => `control group ${group}`),
    ...(record !== undefined && existsSync(join("/sys/class/net", hostLink.device)) ? [`network device ${hostLink.device}`] : []),
    ...(existsSync(dir) ? [`folder ${dir}`] : []),
  ];
}

/** The mount points below a folder, the innermost first. */
export function mountsBelow(dir: string, table: string = readFileSync("/proc/self/mountinfo", "utf8")): string[] {
  const points = table.split("\n").map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point.startsWith(join(dir, "/"))).reverse();
}
