import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Binaries } from "../build/all.ts";
import { cached } from "../build/artifact.ts";
import { containerdAnswers, ctr } from "../ctr.ts";
import type { NodeMachine } from "../layout.ts";
import { run, waitFor } from "../process.ts";
import { CONTAINERD } from "../versions.ts";
import { sha256 } from "./archive.ts";

/** How many sets of images stay in the cache. */
const KEPT = 3;
const PATIENCE_MS = 30_000;

/**
 * Returns a containerd store with a set of images already unpacked. A node starts with a copy of it by hard links, which
 * takes no time and no space: layers are only ever read, and containerd's databases are really copied.
 */
export async function seedStore(binaries: Binaries, archives: readonly string[]): Promise<string> {
  const hash = createHash("sha256").update(CONTAINERD);
  for (const archive of archives) hash.update(await identityOf(archive));
  return await cached({
    path: `stores/images-${hash.digest("hex").slice(0, 12)}`,
    what: `unpack ${archives.length} images for the nodes`,
    kept: KEPT,
    make: async (target, log) => await fillStore(binaries, archives, target, log),
  });
}

/** Archives in the cache carry a hash in their name; of others the content counts. */
async function identityOf(archive: string): Promise<string> {
  return /-[0-9a-f]{10,}\.tar$/.test(archive) ? archive : await sha256(archive);
}

async function fillStore(binaries: Binaries, archives: readonly string[], target: string, log: string): Promise<void> {
  const work = `${target}-work`;
  const socket = join(work, "containerd.sock");
  mkdirSync(work, { recursive: true });
  const config = join(work, "containerd.toml");
  const text = JSON.stringify;
  const unused = [
    "io.containerd.cri.v1.images",
    "io.containerd.cri.v1.runtime",
    "io.containerd.grpc.v1.cri",
    "io.containerd.nri.v1.nri",
  ];
  const places = `root = ${text(target)}\nstate = ${text(join(work, "state"))}`;
  writeFileSync(config, `version = 3\n${places}\ndisabled_plugins = ${text(unused)}\n[grpc]\n  address = ${text(socket)}\n`);
  const output = openSync(log, "a");
  const program = join(binaries.containerd, "containerd");
  const mounts = ["--mount", "--propagation", "private"];
  const daemon = spawn("unshare", [...mounts, program, "--config", config], { stdio: ["ignore", output, output] });
  const ended = new Promise<void>((resolve, reject) => {
    daemon.once("close", () => resolve());
    daemon.once("error", reject);
  });
  try {
    const what = "the containerd that unpacks images";
    await waitFor({ what, timeoutMs: PATIENCE_MS, everyMs: 50, log }, async () => await containerdAnswers(binaries, socket));
    for (const archive of archives) await ctr(binaries, socket, ["images", "import", archive]);
  } finally {
    daemon.kill("SIGTERM");
    await ended;
  }
  rmSync(work, { recursive: true, force: true });
}

/** Gives a new node its copy of a store. */
export async function copyStore(store: string, node: NodeMachine): Promise<void> {
  const own = join(node.dir, "containerd");
  mkdirSync(node.dir, { recursive: true });
  const linked = await run("cp", ["--archive", "--link", store, own], { allowFailure: true });
  if (linked.code !== 0) {
    // The cache is on another file system.
    rmSync(own, { recursive: true, force: true });
    await run("cp", ["--archive", "--reflink=auto", store, own]);
    return;
  }
  const { stdout } = await run("find", [own, "-name", "*.db"]);
  for (const database of stdout.split("\n").filter((line) => line !== "")) {
    await run("cp", ["--archive", "--remove-destination", join(store, database.slice(own.length)), database]);
  }
}
