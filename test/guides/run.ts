/** Runs the command blocks of a guide one after the other, as a person would: in the checkout's folder, with kubectl and redis-ha on PATH. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, execPath } from "node:process";
import { bundle } from "../../scripts/bundle.ts";
import { kubectlCommand } from "../cluster/operate.ts";
import { type RunResult, run } from "../cluster/process.ts";
import { messageOf, say, waitUntil } from "../e2e/lib/wait.ts";
import { type Block, blocksOf, missingLine, withWords } from "./blocks.ts";

const ROOT = join(import.meta.dirname, "..", "..");
/** No block may take longer, ms. */
const BLOCK_MS = 200_000;
/** How `timeout` says that it had to end a command. */
const ENDED = 124;

export interface GuideResult {
  /** blocks that were run, the author's own among them */
  readonly run: number;
  /** blocks that were not, each with its place and the reason */
  readonly notRun: readonly string[];
}

/** The guide's commands work in this namespace of this cluster of the cluster tool. Throws with the block that failed. */
export async function runGuide(file: string, where: { cluster: string; namespace: string }): Promise<GuideResult> {
  const folder = mkdtempSync(join(tmpdir(), "redis-ha-guide-"));
  try {
    const shell = new GuideShell(file, await surroundings(folder, where));
    const blocks = blocksOf(readFileSync(join(ROOT, file), "utf8"));
    for (const block of blocks) if (block.notRun === undefined) await shell.run(block);
    const notRun = blocks.flatMap(({ line, notRun: why }) =>
      why === undefined ? [] : [`${file}:${line} is not run here: ${why}`],
    );
    return { run: blocks.length - notRun.length, notRun };
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
  // GUIDE is a folder for files of the author's comments.
  const own = { KUBECONFIG: kubeconfig, PATH: `${folder}:${env.PATH}`, GUIDE: folder, NAMESPACE: namespace };
  const environment = { ...kubectl.env, ...own };
  await run("kubectl", ["config", "set-context", "--current", `--namespace=${namespace}`], { env: environment });
  return environment;
}

class GuideShell {
  readonly #file: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #words = new Map<string, string>();

  constructor(file: string, environment: NodeJS.ProcessEnv) {
    this.#file = file;
    this.#env = environment;
  }

  async run(block: Block): Promise<void> {
    const place = `${this.#file}:${block.line}`;
    const once = async (): Promise<void> => (block.kind === "words" ? await this.#learn(block) : await this.#once(block));
    const began = performance.now();
    try {
      if (block.waitS === 0) await once();
      else await waitUntil(place, block.waitS * 1000, once);
    } catch (error) {
      throw new Error(`${place}: ${messageOf(error)}`);
    }
    if (block.kind === "shown") say(`${place} is as it says (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  }

  async #once({ commands, expected, exits, forS }: Block): Promise<void> {
    const text = withWords(commands, this.#words);
    const limited = forS === 0 ? [] : ["timeout", "--signal=INT", "--kill-after=10", String(forS)];
    const { code, stdout, stderr } = await this.#bash([...limited, "bash"], text);
    const wanted = forS === 0 ? exits : [ENDED];
    if (!wanted.includes(code))
      throw new Error(`it ended with ${code}, not ${wanted.join(" or ")}:\n${text}\n${stdout}${stderr}`);
    const missing = missingLine(`${stdout}\n${stderr}`, expected);
    if (missing !== undefined) throw new Error(`the output has no line "${missing}":\n${stdout}${stderr}`);
  }

  /** What the reader's own words are in this run: assignments of the shell. */
  async #learn({ commands }: Block): Promise<void> {
    const names = [...commands.matchAll(/^([A-Z_]+)=/gm)].map(([, name = ""]) => name);
    const telling = names.map((name) => `printf '%s=%s\\n' ${name} "$${name}"`);
    const { code, stdout, stderr } = await this.#bash(["bash"], [commands, ...telling].join("\n"));
    const found = stdout.split("\n").flatMap((line) => [/^([A-Z_]+)=(.+)$/.exec(line)?.slice(1) ?? []]);
    for (const [name = "", value = ""] of found) if (names.includes(name)) this.#words.set(name, value);
    const unknown = names.filter((name) => !this.#words.has(name));
    if (code !== 0 || unknown.length > 0) throw new Error(`the words are not known (${unknown.join(", ")}): ${stderr}`);
  }

  async #bash([program = "bash", ...before]: readonly string[], text: string): Promise<RunResult> {
    const options = { cwd: ROOT, env: this.#env, timeoutMs: BLOCK_MS, allowFailure: true };
    return await run(program, [...before, "-euo", "pipefail", "-c", text], options);
  }
}
