import { existsSync, mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { CACHE } from "../paths.ts";
import { type RunResult, run } from "../process.ts";

const STORAGE = join(CACHE, "buildah");
const STORAGE_LIMIT_MB = 6000;
const TIMEOUT_MS = 900_000;
/** Where buildah remembers layers whatever its storage is. */
const MEMORY = "/var/lib/containers";

/** Has buildah's memory in the cache as well; and whatever it mounts ends with it. */
const OWN_MOUNTS = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';

export type Build = { context: string; dockerfile: string; target: string; name: string; file: string; log: string };

/** Runs buildah with its storage in the cache. */
async function buildah(args: readonly string[], log?: string): Promise<RunResult> {
  const memory = join(STORAGE, "memory");
  mkdirSync(memory, { recursive: true });
  const made = existsSync(MEMORY) ? undefined : mkdirSync(MEMORY, { recursive: true });
  const storage = ["--root", join(STORAGE, "root"), "--runroot", join(STORAGE, "run"), "--storage-driver", "overlay"];
  const mounts = ["--mount", "--propagation", "private", "sh", "-c", OWN_MOUNTS, "sh", memory, MEMORY];
  try {
    const options = log === undefined ? { allowFailure: true } : { log };
    return await run("unshare", [...mounts, "buildah", ...storage, ...args], { ...options, timeoutMs: TIMEOUT_MS });
  } finally {
    if (made !== undefined && readdirSync(MEMORY).length === 0) rmdirSync(MEMORY);
  }
}

/** Brings the image of an archive into buildah's storage under its name, where this very archive was not imported before. */
export async function importImage(name: string, archive: string, mark: string, log: string): Promise<void> {
  const tag = `localhost/imported:${mark}`;
  if ((await buildah(["inspect", "--type", "image", tag])).code !== 0) {
    await buildah(["pull", `docker-archive:${archive}:${name}`], log);
    await buildah(["tag", name, tag], log);
  }
}

/** Builds a target of a Dockerfile and writes it as a docker-archive. */
export async function buildImage({ context, dockerfile, target, name, file, log }: Build): Promise<void> {
  const offline = ["--isolation", "chroot", "--pull=never", "--cni-config-dir", join(STORAGE, "cni")];
  await buildah(["bud", ...offline, "--layers", "--file", dockerfile, "--target", target, "--tag", name, context], log);
  await buildah(["push", name, `docker-archive:${file}:${name}`], log);
}

/** Each build leaves layers that the next may use again; when they are many, it starts anew. */
export async function limitStorage(log: string): Promise<void> {
  const { stdout } = await run("du", ["--summarize", "--block-size=1M", STORAGE], { allowFailure: true, timeoutMs: 60_000 });
  if (Number.parseInt(stdout, 10) > STORAGE_LIMIT_MB) await buildah(["rmi", "--all", "--force"], log);
}
