/** Bundles the server and command line tool into the one file that the image holds: dist/redis-ha.cjs (see docker/Dockerfile). */
import { chmod, mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { manifestsInBundle } from "./manifests.ts";
import { pageInBundle } from "./page.ts";

const root = join(import.meta.dirname, "..");
const out = join(root, "dist", "redis-ha.cjs");

/** Makes dist/redis-ha.cjs from cli/main.ts; returns its path. */
export async function bundle(): Promise<string> {
  await mkdir(join(root, "dist"), { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: ["cli/main.ts"],
    outfile: out,
    bundle: true,
    platform: "node",
    // Not "esm": Node reads all exports of each built-in module for it, which loads undici (30 ms, 5 MiB), and compiles more slowly.
    format: "cjs",
    // One text of half the size; names stay, for the stacks in the log.
    minifySyntax: true,
    minifyWhitespace: true,
    // A single character beyond Latin-1 would double the text in memory.
    charset: "ascii",
    target: "node22",
    sourcemap: false,
    legalComments: "none",
    keepNames: true,
    logLevel: "warning",
    plugins: [pageInBundle, manifestsInBundle],
  });
  await chmod(out, 0o755);
  return out;
}

if (import.meta.main) {
  const file = await bundle();
  console.log(`${file} ${Math.round((await stat(file)).size / 1024)} kB`);
}
