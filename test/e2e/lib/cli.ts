/** The command line tool as a person runs it: the bundle, and the kubeconfig of a cluster of the cluster tool. */
import { env, execPath } from "node:process";
import { bundle } from "../../../scripts/bundle.ts";
import { kubeconfigPath } from "../../cluster/cluster.ts";
import { type RunResult, run } from "../../cluster/process.ts";

const TIMEOUT_MS = 150_000;

export interface CommandLine {
  /** the bundle's path */
  readonly program: string;
  /** As in a script: nobody can be asked, and nothing is coloured. Its failure is an answer too. */
  run(...args: readonly string[]): Promise<RunResult>;
  /** At a terminal where `typed` is typed; standard error is part of what is seen. */
  atTerminal(typed: string, ...args: readonly string[]): Promise<RunResult>;
}

export async function commandLine(cluster: string): Promise<CommandLine> {
  const program = await bundle();
  const access = { ...env, KUBECONFIG: kubeconfigPath({ name: cluster }) };
  const options = { env: access, allowFailure: true, timeoutMs: TIMEOUT_MS };
  return {
    program,
    run: async (...args) => await run(execPath, [program, ...args], options),
    atTerminal: async (typed, ...args) => {
      const words = [execPath, program, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
      return await run("script", ["--quiet", "--return", "--flush", "--command", words, "/dev/null"], {
        ...options,
        input: typed,
      });
    },
  };
}
