import { mkdirSync, rmSync } from "node:fs";
import { HELM } from "../versions.ts";
import { cached } from "./artifact.ts";
import { go, goBuild } from "./go.ts";

const PACKAGE = "helm.sh/helm/v3/cmd/helm";

/** Builds the real helm; returns the path of the program. Not by `go install`, which refuses modules with replacements. */
export async function buildHelm(): Promise<string> {
  return await cached({
    path: `bin/helm-${HELM}`,
    what: `build helm ${HELM} (about 2 minutes on 2 cores when it is new here)`,
    make: async (target, log) => {
      const source = `${target}-source`;
      rmSync(source, { recursive: true, force: true });
      mkdirSync(source, { recursive: true });
      await go(["mod", "init", "redis-ha.test/helm"], { cwd: source, log });
      await go(["get", `${PACKAGE}@v${HELM}`], { cwd: source, log });
      await goBuild([PACKAGE], target, { cwd: source, log });
      rmSync(source, { recursive: true });
    },
  });
}
