/** The kustomize base as objects, with the two images of overlays/default: what manifests/install.yaml and the chart are made from. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "esbuild";
import { parse, parseAllDocuments } from "yaml";
import type { KubeObject } from "../kube/types.ts";

const ROOT = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(ROOT, "manifests", path), "utf8");

export interface Images {
  readonly server: string;
  readonly boot: string;
}

/** The names that the base has in the places of the images. */
const PLACES: Readonly<Record<keyof Images, RegExp>> = {
  server: /^(\s+image:) redis-ha$/m,
  boot: /^(\s+value:) redis-ha-boot$/m,
};

/** The files of the base, in the order of its kustomization. */
export function baseFiles(): { readonly name: string; readonly text: string }[] {
  const { resources } = parse(read("base/kustomization.yaml")) as { resources: string[] };
  return resources.map((name) => ({ name, text: read(`base/${name}`) }));
}

/** Both images as the default overlay has them. */
export function defaultImages(): Images {
  const { images, patches } = parse(read("overlays/default/kustomization.yaml")) as {
    images: { newName: string; newTag: string }[];
    patches: { patch: string }[];
  };
  const boot = /REDIS_HA_BOOT_IMAGE\s+value: (\S+)/.exec(patches[0]?.patch ?? "")?.[1];
  const [server] = images;
  if (server === undefined || boot === undefined) throw new Error("overlays/default does not name both images");
  return { server: `${server.newName}:${server.newTag}`, boot };
}

/** Puts the images into a text of the base; throws when a place is not there, so that a change of the base is noticed. */
export function withImages(text: string, images: Images): string {
  return (Object.keys(PLACES) as (keyof Images)[]).reduce((done, which) => {
    if (!PLACES[which].test(done)) throw new Error(`manifests/base has no place for the ${which} image`);
    return done.replace(PLACES[which], `$1 ${images[which]}`);
  }, text);
}

/** The objects of the usual installation. */
export function installObjects(): KubeObject[] {
  const text = withImages(
    baseFiles()
      .map((file) => file.text)
      .join("---\n"),
    defaultImages(),
  );
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

/** The program carries the manifests of its version in itself: cli/install/text.ts, which reads the file, is replaced by its text. */
export const manifestsInBundle: Plugin = {
  name: "manifests",
  setup: ({ onLoad }) => {
    onLoad({ filter: /cli[\\/]install[\\/]text\.ts$/ }, () => ({
      contents: `const text = ${JSON.stringify(read("install.yaml"))};\nexport const installYaml = () => text;\n`,
      loader: "js",
    }));
  },
};
