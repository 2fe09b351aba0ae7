/** Runs the command blocks of a guide one after the other, as a person would: in the checkout's folder, with kubectl and redis-ha on PATH. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, execPath } from "node:process";
import { bundle } from "../../scripts/bundle.ts";
import { kubectlCommand } from "../cluster/operate.ts";
import { run } from "../cluster/process.ts";
import { messageOf, say, waitUntil } from "../e2e/lib/wait.ts";
import { type Block, blocksOf, missingLine } from "./blocks.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const BLOCK_MS = 120_000;

/** The guide's commands work in this namespace of this cluster of the cluster tool. Throws with the block that failed. */
export async function runGuide(file: string, where: { cluster: string; namespace: string }): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "redis-ha-guide-"));
  try {
    const environment = await surroundings(folder, where);
    const blocks = blocksOf(readFileSync(join(ROOT, file), "utf8"));
    for (const block of blocks) await runBlock(file, block, environment);
    return blocks.length;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function surroundings(
  folder: string,
  { cluster, namespace }: { cluster: string; namespace: string },
): Promise<NodeJS.ProcessEnv> {
  const kubectl = await kubectlCommand([], { name: cluster });
  const program = (name: string, line: string): void => {
    writeFileSync(join(folder, name), `#!/bin/sh\nexec ${line} "$@"\n`);
    chmodSync(join(folder, name), 0o755);
  };
  program("kubectl", `"${kubectl.command}"`);
  program("redis-ha", `"${execPath}" "${await bundle()}"`);
  // A kubeconfig of the guide's own, so that its namespace is the default one.
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, readFileSync(kubectl.env.KUBECONFIG ?? "", "utf8"));
  const environment = { ...kubectl.env, KUBECONFIG: kubeconfig, PATH: `${folder}:${env.PATH}` };
  await run("kubectl", ["config", "set-context", "--current", `--namespace=${namespace}`], { env: environment });
  return environment;
}

async function runBlock(file: string, { line, commands, waitS, expected }: Block, environment: NodeJS.ProcessEnv): Promise<void> {
  const once = async (): Promise<void> => {
    const { stdout, stderr } = await run("bash", ["-euo", "pipefail", "-c", commands], {
      cwd: ROOT,
      env: environment,
      timeoutMs: BLOCK_MS,
    });
    const missing = missingLine(`${stdout}\n${stderr}`, expected);
    if (missing !== undefined) throw new Error(`the output has no line "${missing}":\n${stdout}${stderr}`);
  };
  try {
    if (waitS === 0) await once();
    else await waitUntil(`${file}:${line}`, waitS * 1000, once);
  } catch (error) {
    throw new Error(`${file}:${line}: ${messageOf(error)}`);
  }
  say(`${file}:${line} is as it says`);
}
