/**
 * `npm run manifests`: writes manifests/install.yaml, the usual installation as one file, from the kustomize base and the two images of overlays/default.
 * A unit test sees that it is up to date; that kustomize makes the same objects is shown on the real cluster.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import type { KubeObject } from "../kube/types.ts";

const ROOT = join(import.meta.dirname, "..");
export const INSTALL_FILE = join(ROOT, "manifests", "install.yaml");
const HEAD =
  "# Made by `npm run manifests` from manifests/base and manifests/overlays/default: kubectl apply -f manifests/install.yaml\n";

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

if (import.meta.main) {
  const text = installObjects().map((object) => stringify(object, { lineWidth: 0, blockQuote: "literal" }));
  writeFileSync(INSTALL_FILE, HEAD + text.join("---\n"));
}
