import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { env } from "node:process";
import { withLock } from "../lock.ts";
import { BUILD_LOGS, CACHE } from "../paths.ts";
import { run } from "../process.ts";
import { step } from "../progress.ts";
import { DEBIAN_PACKAGES } from "../versions.ts";

/** Installs the Debian packages of the host that are missing. */
export async function installPackages(): Promise<void> {
  await install(DEBIAN_PACKAGES);
}

/** Installs one Debian package if `file`, which it brings, is missing. */
export async function installPackage(name: string, file: string): Promise<void> {
  await install({ [name]: file });
}

/** @param packages name of each, and a file that it brings */
async function install(packages: Readonly<Record<string, string>>): Promise<void> {
  const missing = (): string[] => Object.keys(packages).filter((name) => !existsSync(packages[name] ?? ""));
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
    const command = ["install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", ...names];
    await step(`install the Debian packages ${names.join(", ")}`, async () => {
      // Old lists name packages that the mirror no longer has, so a failure is tried again with fresh ones.
      const first = hasLists() ? await run("apt-get", command, { ...quiet, allowFailure: true }) : undefined;
      if (first?.code === 0) return;
      await run("apt-get", ["update", "-o", "DPkg::Lock::Timeout=300"], quiet);
      await run("apt-get", command, quiet);
    });
  });
}

function hasLists(): boolean {
  return existsSync("/var/lib/apt/lists") && readdirSync("/var/lib/apt/lists").some((name) => name.endsWith("_Packages"));
}

/** Downloads a package's file into a folder, without installing it. */
export async function downloadPackage(name: string, folder: string, log: string): Promise<void> {
  const download = ["download", "-o", "APT::Sandbox::User=root", name];
  const first = await run("apt-get", download, { cwd: folder, log, allowFailure: true });
  if (first.code === 0) return;
  await run("apt-get", ["update", "-o", "DPkg::Lock::Timeout=300"], { log });
  await run("apt-get", download, { cwd: folder, log });
}

/** The Debian mirror that this machine's apt uses, or DEBIAN_MIRROR; no address of a mirror is written down in the project. */
export async function debianMirror(): Promise<string> {
  if (env.DEBIAN_MIRROR !== undefined) return env.DEBIAN_MIRROR;
  const codename = /^VERSION_CODENAME=(\S+)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "";
  const { stdout } = await run("apt-get", [
    "indextargets",
    "--format",
    "$(SITE) $(CODENAME) $(COMPONENT)",
    "Created-By: Packages",
  ]);
  const targets = stdout.split("\n").map((line) => line.split(" "));
  const site = targets.find(([, suite, component]) => suite === codename && component === "main")?.[0];
  if (site === undefined)
    throw new Error("apt knows no Debian mirror (`apt-get indextargets`): set DEBIAN_MIRROR to the address of one");
  return site;
}
