import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { SOURCES } from "../paths.ts";
import { run } from "../process.ts";
import { CNI_PLUGINS, CONTAINERD, COREDNS, RUNC } from "../versions.ts";
import { cached, sourceHash } from "./artifact.ts";
import { go, goBuild, goInstall } from "./go.ts";

const CONTAINERD_MODULE = "github.com/containerd/containerd/v2";
const CNI_MODULE = "github.com/containernetworking/plugins/plugins";

/** Builds containerd, its shim and ctr in a module of their own; returns their folder. */
export async function buildContainerd(): Promise<string> {
  return await cached({
    path: `bin/containerd-${CONTAINERD}`,
    what: `build containerd ${CONTAINERD} (about 90 s)`,
    make: async (target, log) => {
      const source = `${target}-source`;
      rmSync(source, { recursive: true, force: true });
      mkdirSync(source, { recursive: true });
      copyFileSync(join(SOURCES, "go", "containerd", "tools.go"), join(source, "tools.go"));
      const options = { cwd: source, log };
      await go(["mod", "init", "redis-ha.test/containerd"], options);
      await go(["mod", "edit", `-require=${CONTAINERD_MODULE}@v${CONTAINERD}`], options);
      await go(["mod", "tidy"], options);
      mkdirSync(target);
      const commands = ["containerd", "containerd-shim-runc-v2", "ctr"].map((name) => `${CONTAINERD_MODULE}/cmd/${name}`);
      await goBuild(commands, `${target}/`, options);
      rmSync(source, { recursive: true });
    },
  });
}

/** Builds runc; without seccomp support every pod would fail, and that needs Debian's libseccomp. */
export async function buildRunc(): Promise<string> {
  return await cached({
    path: `bin/runc-${RUNC}`,
    what: `build runc ${RUNC} (about 20 s)`,
    make: async (target, log) =>
      await goInstall(["github.com/opencontainers/runc"], RUNC, target, { log, cgo: true, tags: "seccomp" }),
  });
}

/** Builds the CNI plugins that a node's network uses. */
export async function buildCniPlugins(): Promise<string> {
  const plugins = ["main/ptp", "main/loopback", "ipam/host-local", "meta/portmap"].map((name) => `${CNI_MODULE}/${name}`);
  return await cached({
    path: `bin/cni-${CNI_PLUGINS}`,
    what: `build the CNI plugins ${CNI_PLUGINS} (about 5 s)`,
    make: async (target, log) => await goInstall(plugins, CNI_PLUGINS, target, { log }),
  });
}

/** Builds CoreDNS, which runs as a plain process beside the API server. */
export async function buildCoreDns(): Promise<string> {
  return await cached({
    path: `bin/coredns-${COREDNS}`,
    what: `build CoreDNS ${COREDNS} (about 100 s)`,
    make: async (target, log) => await goInstall(["github.com/coredns/coredns"], COREDNS, target, { log }),
  });
}

/** Compiles the static pause program. */
export async function buildPause(): Promise<string> {
  const source = join(SOURCES, "go", "pause", "pause.c");
  return await cached({
    path: `bin/pause-${sourceHash(source)}`,
    what: "compile pause",
    make: async (target, log) => {
      mkdirSync(target);
      await run("gcc", ["-Os", "-static", "-s", "-o", join(target, "pause"), source], { log });
    },
  });
}
