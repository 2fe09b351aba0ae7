import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { debianMirror } from "../build/debian.ts";
import { run } from "../process.ts";

/** What nobody needs in a container: documentation and translations. */
const USELESS = [
  "usr/share/doc",
  "usr/share/man",
  "usr/share/info",
  "usr/share/locale",
  "usr/share/i18n",
  "usr/share/lintian",
  "usr/share/bug",
  "var/cache",
  "var/lib/apt",
  "var/log",
  "tmp",
];

/** What only later installations need. */
const FOR_INSTALLING = [
  "usr/lib/x86_64-linux-gnu/gconv",
  "usr/lib/aarch64-linux-gnu/gconv",
  "usr/share/zoneinfo",
  "var/lib/dpkg/info",
];

const SCRIPTS = "/usr/share/debootstrap/scripts";

/** Makes a minimal Debian of a suite with a few packages in the folder `target`; a base of other images stays able to install more. */
export async function debianRootfs(
  suite: string,
  packages: readonly string[],
  target: string,
  log: string,
  isBase = false,
): Promise<void> {
  rmSync(target, { recursive: true, force: true });
  const mirror = await debianMirror();
  const include = packages.length === 0 ? [] : [`--include=${packages.join(",")}`];
  // A suite newer than the host's debootstrap is made like sid.
  const script = existsSync(join(SCRIPTS, suite)) ? [] : [join(SCRIPTS, "sid")];
  await run("debootstrap", ["--variant=minbase", ...include, suite, target, mirror, ...script], { log, timeoutMs: 900_000 });
  for (const folder of isBase ? USELESS : [...USELESS, ...FOR_INSTALLING]) emptyFolder(join(target, folder));
}

function emptyFolder(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}
