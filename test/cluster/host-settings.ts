import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { STATE } from "./paths.ts";

/** Kernel settings of the whole machine that every kubelet changes at its start. */
const CHANGED_BY_KUBELETS = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
];

const FILE = join(STATE, "host-settings.json");

/** Remembers the host's settings as they were before the first cluster. */
export function saveHostSettings(): void {
  if (existsSync(FILE)) return;
  const present = CHANGED_BY_KUBELETS.map((name) => join("/proc/sys", name)).filter((path) => existsSync(path));
  const settings = Object.fromEntries(present.map((path) => [path, readFileSync(path, "utf8").trim()]));
  mkdirSync(dirname(FILE), { recursive: true });
  writeFileSync(FILE, JSON.stringify(settings));
}

/** Gives the host its settings back, after the last cluster. */
export function restoreHostSettings(): void {
  if (!existsSync(FILE)) return;
  const settings = JSON.parse(readFileSync(FILE, "utf8")) as Record<string, string>;
  for (const [path, value] of Object.entries(settings)) writeFileSync(path, value);
  rmSync(FILE);
}
