import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cached } from "../build/artifact.ts";
import { buildPause } from "../build/node-tools.ts";
import { SOURCES } from "../paths.ts";
import { PAUSE_IMAGE } from "../versions.ts";
import { writeArchive } from "./archive.ts";
import { makeBusyboxImage, makeDebianImage, makeHaproxyImage, makeNodeImage } from "./bases.ts";
import { makeServerImage, type Server } from "./servers.ts";

type Recipe = {
  tags: readonly string[];
  what: string;
  make: (target: string, log: string) => Promise<void>;
};

/** Changes whenever the images would come out different without a change of their names. */
const REVISION = 2;

function server(name: string, what: Server, tags: readonly string[]): Recipe {
  const all = [name, ...tags].map((tag) => `docker.io/${what.flavour === "redis" ? "library" : "valkey"}/${what.flavour}:${tag}`);
  return {
    tags: all,
    what: `image ${all[0]} from Debian ${what.suite} (about 40 s)`,
    make: async (target, log) => await makeServerImage(what, all, target, log),
  };
}

type Make = (tags: readonly string[], target: string, log: string) => Promise<void>;

function base(name: string, others: readonly string[], make: Make, origin: string): Recipe {
  const tags = [name, ...others].map((tag) => `docker.io/library/${tag}`);
  return { tags, what: `image ${tags[0]} ${origin}`, make: async (target, log) => await make(tags, target, log) };
}

/** The images that can be made without a registry, by the file name of their archive. */
const CATALOG: Readonly<Record<string, Recipe>> = {
  pause: {
    tags: [PAUSE_IMAGE],
    what: `image ${PAUSE_IMAGE}`,
    make: async (target, log) =>
      await writeArchive(await buildPause(), [PAUSE_IMAGE], { Entrypoint: ["/pause"], User: "65535:65535" }, target, log),
  },
  "redis-7": server("7", { flavour: "redis", suite: "bookworm" }, ["7.0"]),
  "redis-8": server("8", { flavour: "redis", suite: "trixie" }, ["8.0"]),
  "valkey-8": server("8", { flavour: "valkey", suite: "trixie" }, ["8.1"]),
  "valkey-9": server("9", { flavour: "valkey", suite: "forky" }, ["9.1"]),
  "debian-bookworm-slim": base("debian:bookworm-slim", [], makeDebianImage, "from Debian bookworm (about 25 s)"),
  "node-24": base(
    "node:24-bookworm-slim",
    ["node:24-slim"],
    makeNodeImage,
    "from Debian bookworm and the npm package node (about 30 s)",
  ),
  "haproxy-2.6": base("haproxy:2.6", ["haproxy:2.6-bookworm"], makeHaproxyImage, "from Debian bookworm (about 25 s)"),
  busybox: base("busybox:1.35", ["busybox:latest"], makeBusyboxImage, "from Debian's busybox-static"),
};

/** The names of all images that the tool makes. */
export function allImages(): string[] {
  return Object.values(CATALOG).flatMap((recipe) => recipe.tags.slice(0, 1));
}

/** The full form of an image's name as a user may write it: "redis:7" is "docker.io/library/redis:7", and "valkey:9" the one of that name that the tool makes. */
export function fullName(image: string): string {
  const parts = image.split("/");
  const first = parts[0] ?? "";
  if (parts.length === 1) {
    const official = `docker.io/library/${image}`;
    const tags = Object.values(CATALOG).flatMap((recipe) => recipe.tags);
    return tags.includes(official) ? official : (tags.find((tag) => tag.endsWith(`/${image}`)) ?? official);
  }
  return first.includes(".") || first.includes(":") || first === "localhost" ? image : `docker.io/${image}`;
}

/** Returns the docker-archive of an image of the catalog ("redis:7", also short: "valkey:9"), making it first when it is not cached. */
export async function imageArchive(image: string): Promise<string> {
  const name = fullName(image);
  const recipes = Object.entries(CATALOG);
  const found = recipes.find(([, recipe]) => recipe.tags.some((tag) => tag === name));
  if (found === undefined) {
    throw new Error(`no image ${name} here; known are ${allImages().join(", ")}; or give the tar file of a docker-archive`);
  }
  const [file, recipe] = found;
  return await cached({ path: `images/${file}-${recipeHash(recipe)}.tar`, what: recipe.what, make: recipe.make, kept: 2 });
}

function recipeHash(recipe: Recipe): string {
  const entrypoint = readFileSync(join(SOURCES, "images", "files", "docker-entrypoint.sh"));
  return createHash("sha256")
    .update(`${REVISION} ${recipe.tags.join(" ")}\n`)
    .update(entrypoint)
    .digest("hex")
    .slice(0, 10);
}

/** The archives of images given by name or as tar files. */
export async function archivesOf(images: readonly string[]): Promise<string[]> {
  const archives: string[] = [];
  for (const image of images) archives.push(image.endsWith(".tar") ? image : await imageArchive(image));
  return archives;
}
