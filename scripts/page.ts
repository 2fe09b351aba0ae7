/** Makes the page's files (page/browser) into what the admin port serves. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Plugin, transform } from "esbuild";
import type { Asset } from "../page/server/assets.ts";
import { PAGE_PATH } from "../page/server/paths.ts";

const folder = join(import.meta.dirname, "..", "page", "browser");
/** Browsers of the last years; nothing is polyfilled. */
const TARGET = ["chrome111", "firefox113", "safari16.4"];

/** The page's files, minified, by the path that they are served at. */
export async function buildPage(): Promise<Asset[]> {
  const [script, style, html, icon] = await Promise.all([
    build({
      entryPoints: [join(folder, "main.ts")],
      bundle: true,
      write: false,
      minify: true,
      format: "esm",
      target: TARGET,
      charset: "utf8",
      legalComments: "none",
      logLevel: "warning",
    }),
    readFile(join(folder, "style.css"), "utf8").then((css) => transform(css, { loader: "css", minify: true, target: TARGET })),
    readFile(join(folder, "index.html"), "utf8"),
    readFile(join(folder, "icon.svg"), "utf8"),
  ]);
  return [
    { path: PAGE_PATH.html, type: "text/html; charset=utf-8", text: html },
    { path: PAGE_PATH.script, type: "text/javascript; charset=utf-8", text: script.outputFiles[0]?.text ?? "" },
    { path: PAGE_PATH.style, type: "text/css; charset=utf-8", text: style.code },
    { path: PAGE_PATH.icon, type: "image/svg+xml", text: icon },
  ];
}

/** In the bundle the files are there already: page/server/assets.ts, which makes them, is replaced by their text. */
export const pageInBundle: Plugin = {
  name: "page",
  setup: ({ onLoad }) => {
    onLoad({ filter: /page[\\/]server[\\/]assets\.ts$/ }, async () => ({
      contents: `const made = ${JSON.stringify(await buildPage())};\nexport const pageAssets = async () => made;\n`,
      loader: "js",
    }));
  },
};
