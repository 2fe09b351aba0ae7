/** manifests/install.yaml as text. In the bundle this file is replaced by the text itself (scripts/bundle.ts). */
import { readFileSync } from "node:fs";

export const installYaml = (): string => readFileSync(new URL("../../manifests/install.yaml", import.meta.url), "utf8");
