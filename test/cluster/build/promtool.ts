import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROMETHEUS } from "../versions.ts";
import { cached } from "./artifact.ts";
import { go, goBuild } from "./go.ts";

const PACKAGE = "github.com/prometheus/prometheus/cmd/promtool";

/**
 * Builds Prometheus' own tool for rules; returns the path of the program. Without its service discoveries, which nobody here asks and which are most
 * of its modules.
 */
export async function buildPromtool(): Promise<string> {
  return await cached({
    path: `bin/promtool-${PROMETHEUS}`,
    what: `build promtool ${PROMETHEUS} (about 3 minutes on 2 cores when it is new here)`,
    make: async (target, log) => {
      const source = `${target}-source`;
      rmSync(source, { recursive: true, force: true });
      mkdirSync(source, { recursive: true });
      await go(["mod", "init", "redis-ha.test/promtool"], { cwd: source, log });
      writeFileSync(join(source, "tools.go"), `//go:build tools\n\npackage tools\n\nimport _ "${PACKAGE}"\n`);
      await go(["mod", "edit", `-require=github.com/prometheus/prometheus@v${PROMETHEUS}`], { cwd: source, log });
      // No `go mod tidy`: it would ask for all modules, also for those that the tag leaves out.
      await goBuild([PACKAGE], target, { cwd: source, log, buildFlags: ["-mod=mod", "-tags", "remove_all_sd"] });
      rmSync(source, { recursive: true });
    },
  });
}
