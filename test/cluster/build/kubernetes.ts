import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { SOURCES } from "../paths.ts";
import { cached, sourceHash } from "./artifact.ts";
import { go, goBuild } from "./go.ts";

/** The names under which the one binary acts. */
const COMMANDS = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl"];

/** Builds Kubernetes and etcd as one binary with a link for each command; returns their folder. */
export async function buildKubernetes(version: string): Promise<string> {
  const main = join(SOURCES, "go", "kubernetes", "main.go");
  return await cached({
    path: `bin/kubernetes-${version}-${sourceHash(main)}`,
    what: `build Kubernetes ${version} with etcd (about 7 minutes on 2 cores when it is new here)`,
    make: async (target, log) => {
      const source = `${target}-source`;
      rmSync(source, { recursive: true, force: true });
      mkdirSync(source, { recursive: true });
      copyFileSync(main, join(source, "main.go"));
      await writeModule(source, version, log);
      const [major = "", minor = ""] = version.split(".");
      const stamp = "-X k8s.io/component-base/version.git";
      const flags = `${stamp}Version=v${version} ${stamp}Major=${major} ${stamp}Minor=${minor}`;
      mkdirSync(target);
      await goBuild(["."], join(target, "kubernetes"), { cwd: source, log, flags });
      for (const command of COMMANDS) symlinkSync("kubernetes", join(target, command));
      rmSync(source, { recursive: true });
    },
  });
}

/**
 * Writes a go.mod that asks for k8s.io/kubernetes. Its own go.mod takes the staging modules from folders of its repository
 * ("v0.0.0" with a replace line), which are published apart as v0.MINOR.PATCH; the replacement has to be said by the main module.
 */
async function writeModule(source: string, version: string, log: string): Promise<void> {
  const options = { cwd: source, log };
  await go(["mod", "init", "redis-ha.test/kubernetes"], options);
  const answer = await go(["mod", "download", "-json", `k8s.io/kubernetes@v${version}`], options);
  const { GoMod } = JSON.parse(answer.stdout) as { GoMod: string };
  const requirements = readFileSync(GoMod, "utf8");
  const etcd = /go\.etcd\.io\/etcd\/client\/v3 (v\S+)/.exec(requirements)?.[1];
  if (etcd === undefined) throw new Error(`no etcd version in ${GoMod}`);
  const published = `v0.${version.split(".").slice(1).join(".")}`;
  const replaced = stagingModules(requirements).map((name) => `-replace=${name}=${name}@${published}`);
  const required = [`-require=k8s.io/kubernetes@v${version}`, `-require=go.etcd.io/etcd/server/v3@${etcd}`];
  await go(["mod", "edit", ...required, ...replaced], options);
  await go(["mod", "tidy"], options);
}

/** The modules that a go.mod of Kubernetes takes from its own repository. */
export function stagingModules(goMod: string): string[] {
  const names = [...goMod.matchAll(/^\s*(k8s\.io\/[a-z0-9-]+) v0\.0\.0(?:\s|$)/gm)].map((match) => match[1] ?? "");
  return [...new Set(names)].sort();
}
