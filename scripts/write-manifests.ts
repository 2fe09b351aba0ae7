/**
 * `npm run manifests`: writes manifests/install.yaml, the usual installation as one file, and the templates of the chart. Unit tests see that they are up to
 * date; that kustomize makes the same objects is shown on the real cluster and by `npm run test:chart`.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { writeChart } from "./chart.ts";
import { installObjects } from "./manifests.ts";

const INSTALL_FILE = join(import.meta.dirname, "..", "manifests", "install.yaml");
const HEAD =
  "# Made by `npm run manifests` from manifests/base and manifests/overlays/default: kubectl apply -f manifests/install.yaml\n";

const documents = installObjects().map((object) => stringify(object, { lineWidth: 0, blockQuote: "literal" }));
writeFileSync(INSTALL_FILE, HEAD + documents.join("---\n"));
writeChart();
