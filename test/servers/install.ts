/**
 * Real servers for tests: several versions of redis and valkey, fetched once from the machine's own Debian mirror (other suites of it) into the cache,
 * and run with their own loader and libraries, so that nothing is installed on the machine.
 */
import { execFile } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface ServerBinary {
  /** "redis" or "valkey" */
  readonly name: "redis" | "valkey";
  /** as the server says it, like "7.0.15" */
  readonly version: string;
  /** full path of redis-server or valkey-server */
  readonly server: string;
  /** full path of redis-cli or valkey-cli */
  readonly cli: string;
  /** a folder that holds just these two, for PATH */
  readonly bin: string;
}

interface Source {
  readonly name: "redis" | "valkey";
  /** the first that has the package is taken */
  readonly suites: readonly string[];
}

const SOURCES: readonly Source[] = [
  { name: "redis", suites: ["bookworm"] },
  { name: "redis", suites: ["trixie"] },
  { name: "valkey", suites: ["trixie"] },
  { name: "valkey", suites: ["forky", "sid"] },
];

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "redis-ha", "servers");

let installed: Promise<readonly ServerBinary[]> | undefined;

/** All servers, oldest redis first; the first call on a machine downloads about 30 MB. */
export function serverBinaries(): Promise<readonly ServerBinary[]> {
  installed ??= installAll();
  return installed;
}

async function installAll(): Promise<readonly ServerBinary[]> {
  await mkdir(cache, { recursive: true });
  const found: ServerBinary[] = [];
  for (const source of SOURCES) found.push(await install(source));
  return found;
}

async function install(source: Source): Promise<ServerBinary> {
  for (const suite of source.suites) {
    const folder = join(cache, `${suite}-${source.name}`);
    if (await exists(join(folder, "done"))) return describe(source.name, folder);
  }
  return lock(async () => {
    const failures: string[] = [];
    for (const suite of source.suites) {
      const folder = join(cache, `${suite}-${source.name}`);
      if (await exists(join(folder, "done"))) return describe(source.name, folder);
      try {
        await fetchServer(source.name, suite, folder);
        return describe(source.name, folder);
      } catch (error) {
        failures.push(`${suite}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    throw new Error(`no ${source.name} server to be had:\n${failures.join("\n")}`);
  });
}

async function describe(name: "redis" | "valkey", folder: string): Promise<ServerBinary> {
  const bin = join(folder, "bin");
  const server = join(bin, `${name}-server`);
  const { stdout } = await run(server, ["--version"]);
  const version = /v=(\S+)/.exec(stdout)?.[1];
  if (version === undefined) throw new Error(`${server} does not say its version: ${stdout}`);
  return { name, version, server, cli: join(bin, `${name}-cli`), bin };
}

/** One static program, as `sh`, `awk`, `sed` and so on of an Alpine image. Its full path. */
export async function busyboxBinary(): Promise<string> {
  const folder = join(cache, "bookworm-busybox");
  const program = join(folder, "busybox");
  if (await exists(program)) return program;
  await mkdir(cache, { recursive: true });
  return lock(async () => {
    if (await exists(program)) return program;
    await assemble(folder, async (work) => {
      await unpack(["busybox-static"], "bookworm", work);
      const { stdout } = await run("find", [join(work, "root"), "-name", "busybox", "-type", "f", "-perm", "-u+x"]);
      const found = stdout.trim().split("\n").at(0);
      if (found === undefined || found === "") throw new Error("the package busybox-static has no busybox");
      await rename(found, join(work, "busybox"));
      await rm(join(work, "root"), { recursive: true });
    });
    return program;
  });
}

async function fetchServer(name: "redis" | "valkey", suite: string, folder: string): Promise<void> {
  await assemble(folder, async (work) => {
    const architecture = await unpack([`${name}-server`, `${name}-tools`], suite, work);
    await wrap(name, work, folder, architecture);
    await writeFile(join(work, "done"), "");
  });
}

/** Makes a folder of the cache in one step: it is there as a whole or not at all. */
async function assemble(folder: string, fill: (work: string) => Promise<void>): Promise<void> {
  const work = `${folder}.${process.pid}`;
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  try {
    await fill(work);
    await rm(folder, { recursive: true, force: true });
    await rename(work, folder);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
}

/** Downloads packages and the libraries that they need with apt (own lists, own cache, nothing installed), and unpacks them to work/root. */
async function unpack(wanted: readonly string[], suite: string, work: string): Promise<string> {
  const { sites, architecture } = await mirrors();
  const lists = join(work, "apt");
  for (const part of ["lists/partial", "cache/archives/partial", "parts", "debs"])
    await mkdir(join(lists, part), { recursive: true });
  await writeFile(join(lists, "status"), "");
  const options = [
    ["Dir::State::lists", join(lists, "lists")],
    ["Dir::State::status", join(lists, "status")],
    ["Dir::Cache", join(lists, "cache")],
    ["Dir::Etc::sourcelist", join(lists, "sources.list")],
    ["Dir::Etc::sourceparts", join(lists, "parts")],
    ["Dir::Etc::preferencesparts", join(lists, "parts")],
    ["APT::Get::List-Cleanup", "0"],
    ["APT::Sandbox::User", "root"],
  ].flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  await writeFile(join(lists, "sources.list"), sites.map((site) => `deb ${site} ${suite} main\n`).join(""));
  await run("apt-get", [...options, "update"], { cwd: lists });
  const plan = await run("apt-get", [...options, "install", "--simulate", "--no-install-recommends", ...wanted], {
    maxBuffer: 1 << 24,
  });
  const packages = [...plan.stdout.matchAll(/^Inst (\S+) \((\S+)/gm)]
    .filter(([, pkg]) => pkg !== undefined && (wanted.includes(pkg) || /^(lib|lua)/.test(pkg)))
    .map(([, pkg, version]) => `${pkg}=${version}`);
  await run("apt-get", [...options, "download", ...packages], { cwd: join(lists, "debs") });
  const root = join(work, "root");
  await mkdir(root, { recursive: true });
  for (const deb of await readdir(join(lists, "debs"))) await run("dpkg-deb", ["-x", join(lists, "debs", deb), root]);
  await rm(lists, { recursive: true });
  return architecture;
}

/** Scripts in bin/ that start the programs with their own loader; the paths in them are those after the rename. */
async function wrap(name: string, work: string, folder: string, architecture: string): Promise<void> {
  const bin = join(work, "bin");
  await mkdir(bin, { recursive: true });
  const root = join(work, "root");
  const { stdout } = await run("find", [root, "-name", "ld-linux*.so*", "-o", "-name", "libc.so.6"]);
  const paths = stdout.trim().split("\n");
  const loader = paths.find((path) => path.includes("/ld-linux"));
  const libc = paths.find((path) => path.endsWith("/libc.so.6"));
  if (loader === undefined || libc === undefined) throw new Error(`no loader for ${architecture} in ${root}`);
  const triplet = libc.split("/").at(-2) ?? "";
  const inFolder = (path: string): string => path.replace(work, folder);
  const libraries = [`lib/${triplet}`, `usr/lib/${triplet}`].map((path) => join(folder, "root", path)).join(":");
  for (const program of [`${name}-server`, `${name}-cli`]) {
    const script = `#!/bin/sh\nexec ${inFolder(loader)} --argv0 "$0" --library-path ${libraries} ${join(folder, "root/usr/bin", program)} "$@"\n`;
    await writeFile(join(bin, program), script);
    await chmod(join(bin, program), 0o755);
  }
}

/** The Debian archives of the machine's own apt configuration: no host name is written into this project. */
async function mirrors(): Promise<{ sites: string[]; architecture: string }> {
  const { stdout } = await run("apt-get", [
    "indextargets",
    "--format",
    "$(SITE) $(RELEASE) $(ARCHITECTURE)",
    "Created-By: Packages",
    "Origin: Debian",
  ]);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([site, release]) => site !== undefined && release !== undefined && !/-(security|updates|backports)$/.test(release));
  const sites = [...new Set(lines.map(([site]) => site ?? ""))].filter((site) => site !== "" && !site.includes("security"));
  const architecture = lines[0]?.[2] ?? "";
  if (sites.length === 0) throw new Error("apt has no Debian archive configured; run `apt-get update` first");
  return { sites, architecture };
}

/** One download at a time on a machine, also between processes; a lock whose owner is gone is taken over. */
async function lock<T>(act: () => Promise<T>): Promise<T> {
  const path = join(cache, "lock");
  const owner = join(path, "pid");
  for (let tries = 0; tries < 600; tries++) {
    try {
      await mkdir(path);
      await writeFile(owner, String(process.pid));
      try {
        return await act();
      } finally {
        await rm(path, { recursive: true, force: true });
      }
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
      const held = await stat(owner).catch(() => undefined);
      if (held !== undefined && !(await ownerLives(owner))) await rm(path, { recursive: true, force: true });
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  throw new Error(`another process has held ${path} for 5 minutes`);
}

async function ownerLives(file: string): Promise<boolean> {
  const pid = Number.parseInt(await readFile(file, "utf8").catch(() => ""), 10);
  return Number.isFinite(pid) && (await exists(`/proc/${pid}`));
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

if (import.meta.main) {
  console.log(await busyboxBinary());
  for (const binary of await serverBinaries()) console.log(`${binary.name} ${binary.version} ${binary.server}`);
}
