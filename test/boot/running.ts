/** A process of a test in a group of its own, with its output in a file. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";

export type Variables = Record<string, string>;

export class Running {
  readonly #child: ChildProcess;
  readonly #log: string;
  readonly ended: Promise<number>;
  code: number | undefined;

  constructor(program: string, words: readonly string[], cwd: string, env: Variables, log: string) {
    const out = openSync(log, "a");
    this.#log = log;
    this.#child = spawn(program, words, { cwd, env, detached: true, stdio: ["ignore", out, out] });
    closeSync(out);
    this.ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("exit", (code, signal) => {
        this.code = code ?? (signal === null ? 1 : 128);
        resolve(this.code);
      });
    });
    this.ended.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async log(): Promise<string> {
    return readFile(this.#log, "utf8").catch(() => "");
  }

  /** The lines that our scripts wrote. */
  async ours(): Promise<string[]> {
    return (await this.log()).split("\n").filter((line) => line.startsWith("redis-ha: "));
  }

  signal(name: NodeJS.Signals): void {
    if (this.code === undefined && this.pid !== 0) process.kill(this.pid, name);
  }

  /** The whole group, as the end of a container ends all of its processes. */
  kill(): void {
    if (this.pid === 0) return;
    try {
      process.kill(-this.pid, "SIGKILL");
    } catch {
      // gone already
    }
  }
}
