import { copyFileSync, cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SOURCES } from "../paths.ts";
import { CERT_MANAGER } from "../versions.ts";
import { cached, sourceHash } from "./artifact.ts";
import { go, goBuild } from "./go.ts";

const MODULE = "github.com/cert-manager/cert-manager";

/** Builds cert-manager's controllers and CA injector as one program; returns a folder with `cert-manager` and its CRDs in `crds/`. */
export async function buildCertManager(): Promise<string> {
  const main = join(SOURCES, "go", "cert-manager", "main.go");
  return await cached({
    path: `bin/cert-manager-${CERT_MANAGER}-${sourceHash(main)}`,
    what: `build cert-manager ${CERT_MANAGER} (about 4 minutes on 2 cores when it is new here)`,
    make: async (target, log) => {
      const source = `${target}-source`;
      rmSync(source, { recursive: true, force: true });
      mkdirSync(source, { recursive: true });
      copyFileSync(main, join(source, "main.go"));
      const options = { cwd: source, log };
      await go(["mod", "init", "redis-ha.test/cert-manager"], options);
      await go(["mod", "edit", `-require=${MODULE}@v${CERT_MANAGER}`], options);
      await go(["mod", "tidy"], options);
      mkdirSync(target);
      await goBuild(["."], join(target, "cert-manager"), options);
      const answer = await go(["mod", "download", "-json", `${MODULE}@v${CERT_MANAGER}`], options);
      const { Dir } = JSON.parse(answer.stdout) as { Dir: string };
      cpSync(join(Dir, "deploy", "crds"), join(target, "crds"), { recursive: true, filter: (path) => !path.endsWith(".md") });
      rmSync(source, { recursive: true });
    },
  });
}
