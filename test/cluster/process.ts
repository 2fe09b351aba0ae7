import { spawn } from "node:child_process";
import { appendFileSync, openSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export type RunOptions = {
  input?: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** After this time the command is killed and the call fails. */
  timeoutMs?: number;
  /** Everything that the command prints is also appended to this file, and errors name it. */
  log?: string;
  /** Return a failure instead of throwing it. */
  allowFailure?: boolean;
};

export type RunResult = { stdout: string; stderr: string; code: number };

/** Runs a command to its end and returns what it printed; a failure throws an error with its last lines. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await new Promise<RunResult>((resolve, reject) => {
    const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env, stdio: ["pipe", "pipe", "pipe"] });
    const chunks: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].on("data", (chunk: Buffer) => {
        chunks[name].push(chunk);
        if (options.log !== undefined) appendFileSync(options.log, chunk);
      });
    }
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, options.timeoutMs ?? 600_000);
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(new Error(`cannot run ${command}: ${error.message}`));
    });
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const stdout = Buffer.concat(chunks.stdout).toString();
      let stderr = Buffer.concat(chunks.stderr).toString();
      if (timedOut) stderr += `\n(killed after ${options.timeoutMs ?? 600_000} ms)`;
      resolve({ stdout, stderr, code: code ?? (signal === null ? 1 : 128) });
    });
    // A command that ends early closes its input; that is its own matter.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
  if (result.code !== 0 && options.allowFailure !== true) throw commandError(command, args, result, options.log);
  return result;
}

function commandError(command: string, args: readonly string[], result: RunResult, log: string | undefined): Error {
  const tail = `${result.stdout}\n${result.stderr}`.trim().split("\n").slice(-12).join("\n");
  const shown = [command, ...args].join(" ").slice(0, 300);
  return new Error(`"${shown}" ended with ${result.code}${log === undefined ? "" : `; see ${log}`}\n${tail}`);
}

/** Runs a command on the terminal of this process and returns its exit code. */
export async function runAttached(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  return await new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: "inherit", env });
    // The terminal sends Ctrl-C to the child as well; it decides what that means, and this process waits for it.
    const ignore = (): void => {};
    process.on("SIGINT", ignore);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      process.off("SIGINT", ignore);
      resolve(code ?? (signal === null ? 1 : 130));
    });
  });
}

/** Starts a process that outlives this one, with its output in a log file; returns its process id. */
export async function startDaemon(
  command: string,
  args: readonly string[],
  log: string,
  env: NodeJS.ProcessEnv,
): Promise<number> {
  const output = openSync(log, "a");
  const child = spawn(command, args, { detached: true, stdio: ["ignore", output, output], env });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  child.unref();
  if (child.pid === undefined) throw new Error(`cannot start ${command}; see ${log}`);
  return child.pid;
}

/** The command line of a process, or nothing when it has ended. */
export function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  } catch {
    return [];
  }
}

export type WaitOptions = {
  what: string;
  timeoutMs: number;
  everyMs?: number;
  log?: string;
  /** Asked after each answer that was no success: false ends the waiting at once, for instance because a process is gone. */
  hopeful?: () => boolean;
};

/** Asks again and again until the answer is not undefined; bounded, and the error names the log to read. */
export async function waitFor<T>(options: WaitOptions, ask: () => Promise<T | undefined>): Promise<T> {
  const end = performance.now() + options.timeoutMs;
  let last = "";
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    const hopeless = options.hopeful?.() === false;
    if (hopeless || performance.now() > end) {
      const log = options.log === undefined ? "" : `; see ${options.log}`;
      const how = hopeless ? "in vain" : `${options.timeoutMs / 1000} s`;
      throw new Error(`waited ${how} for ${options.what}${log}${last === "" ? "" : ` (last: ${last})`}`);
    }
    await sleep(options.everyMs ?? 100);
  }
}
