import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { env } from "node:process";
import { withLock } from "../lock.ts";
import { BUILD_LOGS, CACHE } from "../paths.ts";
import { run } from "../process.ts";
import { step } from "../progress.ts";
import { DEBIAN_PACKAGES } from "../versions.ts";

/** Installs the Debian packages of the host that are missing. */
export async function installPackages(): Promise<void> {
  const missing = (): string[] => Object.keys(DEBIAN_PACKAGES).filter((name) => !existsSync(DEBIAN_PACKAGES[name] ?? ""));
  if (missing().length === 0) return;
  if (!existsSync("/usr/bin/apt-get")) {
    throw new Error(`this machine has no apt-get; install these by hand (names of Debian): ${missing().join(", ")}`);
  }
  await withLock(join(CACHE, "locks", "apt"), "the installation of Debian packages", async () => {
    const names = missing();
    if (names.length === 0) return;
    mkdirSync(BUILD_LOGS, { recursive: true });
    const log = join(BUILD_LOGS, "apt.log");
    const quiet = { log, env: { ...env, DEBIAN_FRONTEND: "noninteractive" } };
    const install = ["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", ...names];
    await step(`install the Debian packages ${names.join(", ")}`, async () => {
      // Old lists name packages that the mirror no longer has, so a failure is tried again with fresh ones.
      const first = hasLists() ? await run("apt-get", install, { ...quiet, allowFailure: true }) : undefined;
      if (first?.code === 0) return;
      await run("apt-get", ["update", "-o", "DPkg::Lock::Timeout=300"], quiet);
      await run("apt-get", install, quiet);
    });
  });
}

function hasLists(): boolean {
  return existsSync("/var/lib/apt/lists") && readdirSync("/var/lib/apt/lists").some((name) => name.endsWith("_Packages"));
}

/** The Debian mirror that this machine's apt uses; no address of a mirror is written down in the project. */
export async function debianMirror(): Promise<string> {
  const { stdout } = await run("apt-get", ["indextargets", "--format", "$(SITE) $(CODENAME)", "Created-By: Packages"]);
  const main = stdout
    .split("\n")
    .map((line) => line.split(" "))
    .find(([, codename]) => codename !== undefined && !codename.includes("-"));
  const site = main?.[0];
  if (site === undefined) throw new Error("apt knows no Debian mirror: check `apt-get indextargets`");
  return site;
}
