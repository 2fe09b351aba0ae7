import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "../../../scripts/bundle.ts";
import { cached } from "../build/artifact.ts";
import { installPackages } from "../build/debian.ts";
import { withLock } from "../lock.ts";
import { CACHE, PROJECT } from "../paths.ts";
import { run } from "../process.ts";
import { type Build, buildImage, importImage, limitStorage } from "./buildah.ts";
import { imageArchive } from "./catalog.ts";

export type ProjectImage = { name: string; archive: string };

/** The project's images, each with the files and folders that it is made of. */
const TARGETS: Readonly<Record<string, readonly string[]>> = {
  "redis-ha": ["dist/redis-ha.cjs"],
  "redis-ha-boot": ["docker/boot", "docker/install.c"],
};
const DOCKERFILE = "docker/Dockerfile";
/** Archives of older sources that are kept, so that going back to one costs nothing. */
const KEPT = 6;

/** The names under which the manifests ask for the project's images. */
export function projectImageName(target: string): string {
  const { version } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8")) as { version: string };
  return `docker.io/redisha/${target}:${version}`;
}

/**
 * Bundles the program and builds the project's own images from its Dockerfile; what was built from the same sources before
 * is taken from the cache. A Docker engine is used where one answers, else buildah.
 */
export async function buildProjectImages(): Promise<ProjectImage[]> {
  const dockerfile = join(PROJECT, DOCKERFILE);
  return await withLock(join(CACHE, "locks", "project-images"), "a build of the project's images", async () => {
    await bundle();
    const images: ProjectImage[] = [];
    for (const [target, inputs] of Object.entries(TARGETS)) {
      const name = projectImageName(target);
      const path = `project/${target}-${hashOf(PROJECT, [DOCKERFILE, ...inputs], name)}.tar`;
      const make = async (file: string, log: string): Promise<void> =>
        await build({ context: PROJECT, dockerfile, target, name, file, log });
      images.push({ name, archive: await cached({ path, what: `build the image ${name}`, make, kept: KEPT }) });
    }
    return images;
  });
}

async function build(wanted: Build): Promise<void> {
  const { context, dockerfile, target, name, file, log } = wanted;
  if (await dockerAnswers()) {
    await run("docker", ["build", "--file", dockerfile, "--target", target, "--tag", name, context], { log });
    await run("docker", ["save", "--output", file, name], { log });
    return;
  }
  await installPackages();
  await limitStorage(log);
  for (const base of baseImages(readFileSync(dockerfile, "utf8"))) {
    const archive = await imageArchive(base);
    // The archive's name has a hash of what is in it.
    await importImage(base, archive, createHash("sha256").update(archive).digest("hex").slice(0, 16), log);
  }
  await buildImage(wanted);
}

async function dockerAnswers(): Promise<boolean> {
  try {
    return (
      (await run("docker", ["version", "--format", "{{.Server.Version}}"], { allowFailure: true, timeoutMs: 5000 })).code === 0
    );
  } catch {
    return false;
  }
}

/** The images that a Dockerfile starts from: not its own earlier stages, and not the empty one. */
export function baseImages(dockerfile: string): string[] {
  const lines = [...dockerfile.matchAll(/^FROM\s+(?:--\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?/gim)];
  const stages = new Set(["scratch", ...lines.map(([, , stage]) => stage)]);
  return [...new Set(lines.map(([, image]) => image ?? ""))].filter((image) => !stages.has(image));
}

/** A hash of all files of the inputs, with their paths and modes. */
function hashOf(context: string, inputs: readonly string[], name: string): string {
  const hash = createHash("sha256").update(name);
  for (const file of inputs.flatMap((input) => filesOf(context, input)).sort()) {
    hash.update(`\0${file}\0${statSync(join(context, file)).mode}\0`).update(readFileSync(join(context, file)));
  }
  return hash.digest("hex").slice(0, 12);
}

function filesOf(context: string, path: string): string[] {
  const info = statSync(join(context, path), { throwIfNoEntry: false });
  if (info === undefined) return [];
  if (!info.isDirectory()) return [path];
  return readdirSync(join(context, path)).flatMap((name) => filesOf(context, join(path, name)));
}
