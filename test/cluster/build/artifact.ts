import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
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
    rmSync(target, { recursive: true, force: true });
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(BUILD_LOGS, { recursive: true });
    const log = join(BUILD_LOGS, `${label}.log`);
    rmSync(log, { force: true });
    await step(artifact.what, async () => await artifact.make(target, log));
    renameSync(target, path);
    return path;
  });
}

/** A short hash of a source, for the names of artifacts that change with it. */
export function sourceHash(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 8);
}
