/** Bundles the server and command line tool into the one file that the image holds: dist/redis-ha.mjs (see docker/Dockerfile). */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { pageInBundle } from "./page.ts";

const root = join(import.meta.dirname, "..");
const out = join(root, "dist", "redis-ha.mjs");

/** Makes dist/redis-ha.mjs from cli/main.ts; returns its path. */
export async function bundle(): Promise<string> {
  await mkdir(join(root, "dist"), { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: ["cli/main.ts"],
    outfile: out,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    sourcemap: false,
    legalComments: "none",
    keepNames: true,
    logLevel: "warning",
    plugins: [pageInBundle],
    // Some dependencies are CommonJS and call require() at run time.
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  });
  return out;
}

if (import.meta.main) {
  const file = await bundle();
  console.log(`${file} ${Math.round((await stat(file)).size / 1024)} kB`);
}
