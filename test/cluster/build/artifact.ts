import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { withLock } from "../lock.ts";
import { BUILD_LOGS, CACHE } from "../paths.ts";
import { step } from "../progress.ts";

export type Artifact = {
  /** The folder or file below the cache, with the version in its name. */
  path: string;
  /** What the progress line says. */
  what: string;
  /** Makes the artifact at `target`, a fresh path beside its final place; output goes to `log`. */
  make: (target: string, log: string) => Promise<void>;
  /** For artifacts whose sources change often (their path ends with a hash): how many of them stay in the cache. */
  kept?: number;
};

/**
 * Returns the path of a cached artifact, making it first when it is missing. It is made under a temporary name and renamed,
 * so that a broken build never looks finished; the lock keeps a second process from building the same.
 */
export async function cached(artifact: Artifact): Promise<string> {
  const path = join(CACHE, artifact.path);
  if (existsSync(path)) return path;
  const label = artifact.path.replaceAll("/", "-");
  return await withLock(join(CACHE, "locks", label), artifact.what, async () => {
    if (existsSync(path)) return path;
    const target = `${path}.part`;
    removeParts(target);
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(BUILD_LOGS, { recursive: true });
    const log = join(BUILD_LOGS, `${label}.log`);
    rmSync(log, { force: true });
    try {
      await step(artifact.what, async () => await artifact.make(target, log));
      renameSync(target, path);
    } finally {
      removeParts(target);
    }
    if (artifact.kept !== undefined) removeOld(path, artifact.kept);
    return path;
  });
}

/** Removes a half-made artifact and the working folders beside it, all of which start with its name. */
function removeParts(target: string): void {
  if (!existsSync(dirname(target))) return;
  for (const name of readdirSync(dirname(target)).filter((one) => one.startsWith(basename(target)))) {
    rmSync(join(dirname(target), name), { recursive: true, force: true });
  }
}

/** Removes the oldest of the artifacts that differ from this one only by their hash. */
function removeOld(path: string, kept: number): void {
  const family = basename(path).replace(/-[0-9a-f]+(\.\w+)?$/, "");
  const hashed = new RegExp(`^${family}-[0-9a-f]+(\\.\\w+)?$`);
  const files = readdirSync(dirname(path))
    .filter((name) => hashed.test(name))
    .map((name) => join(dirname(path), name));
  const byAge = files.map((file) => ({ file, time: statSync(file).mtimeMs })).sort((one, other) => other.time - one.time);
  for (const { file } of byAge.slice(kept)) rmSync(file, { recursive: true, force: true });
}

/** A short hash of a source, for the names of artifacts that change with it. */
export function sourceHash(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 8);
}
