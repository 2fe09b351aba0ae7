import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { debianMirror } from "../build/debian.ts";
import { run } from "../process.ts";

/** What nobody needs in a container: documentation, translations, and what apt and dpkg keep. */
const USELESS = [
  "usr/share/doc",
  "usr/share/man",
  "usr/share/info",
  "usr/share/locale",
  "usr/share/i18n",
  "usr/share/zoneinfo",
  "usr/share/lintian",
  "usr/share/bug",
  "usr/lib/x86_64-linux-gnu/gconv",
  "usr/lib/aarch64-linux-gnu/gconv",
  "var/cache",
  "var/lib/apt",
  "var/lib/dpkg/info",
  "var/log",
  "tmp",
];

const SCRIPTS = "/usr/share/debootstrap/scripts";

/** Makes a minimal Debian of a suite with a few packages in the folder `target`. */
export async function debianRootfs(suite: string, packages: readonly string[], target: string, log: string): Promise<void> {
  rmSync(target, { recursive: true, force: true });
  const mirror = await debianMirror();
  const include = packages.length === 0 ? [] : [`--include=${packages.join(",")}`];
  // A suite newer than the host's debootstrap is made like sid.
  const script = existsSync(join(SCRIPTS, suite)) ? [] : [join(SCRIPTS, "sid")];
  await run("debootstrap", ["--variant=minbase", ...include, suite, target, mirror, ...script], { log, timeoutMs: 900_000 });
  for (const folder of USELESS) emptyFolder(join(target, folder));
}

function emptyFolder(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}
