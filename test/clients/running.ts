/** A client program that runs, and all that it said. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Target } from "../client/resp.ts";
import { isAck, type Line, parseLine } from "./contract.ts";
import type { Config } from "./programs.ts";

export interface RunOptions {
  readonly target: Target;
  readonly config: Config;
  readonly writers: number;
  readonly pauseMs: number;
}

const START_MS = 30_000;
const STOP_MS = 5000;

export class Running {
  readonly name: string;
  readonly config: Config;
  readonly lines: Line[] = [];
  /** when each line was read, ms since 1970 */
  readonly stamps: number[] = [];
  readonly #child: ChildProcess;
  readonly #other: string[] = [];
  #ended: string | undefined;

  private constructor(name: string, config: Config, child: ChildProcess) {
    this.name = name;
    this.config = config;
    this.#child = child;
    if (child.stdout !== null) createInterface({ input: child.stdout }).on("line", (text) => this.#read(text));
    child.stderr?.on("data", (chunk: Buffer) => this.#other.push(chunk.toString()));
    child.on("error", (error) => {
      this.#ended = error.message;
    });
    child.on("exit", (code, signal) => {
      this.#ended = `ended with ${signal ?? code}`;
    });
  }

  /** Starts the program and returns when its writers have begun; throws with its last words if it doesn't come so far. */
  static async start(name: string, command: readonly string[], options: RunOptions): Promise<Running> {
    const { target, config, writers, pauseMs } = options;
    const [program = "", ...args] = command;
    const env = {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      REDIS_HOST: target.host,
      REDIS_PORT: String(target.port),
      ...(target.password === undefined ? {} : { REDIS_PASSWORD: target.password }),
      WRITERS: String(writers),
      PAUSE_MS: String(pauseMs),
      RUN: `${name}-${config}-${Math.random().toString(36).slice(2, 8)}`,
      CONFIG: config,
    };
    const running = new Running(name, config, spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"] }));
    const limit = Date.now() + START_MS;
    while (!running.lines.some((line) => "ready" in line)) {
      if (running.#ended !== undefined) throw new Error(`${running.title} ${running.#ended}: ${running.words}`);
      if (Date.now() > limit) {
        running.#child.kill("SIGKILL");
        throw new Error(`${running.title} did not begin in ${START_MS} ms: ${running.words}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return running;
  }

  get title(): string {
    return `${this.name} (${this.config})`;
  }

  /** What it said that is not of the contract, the last 500 characters. */
  get words(): string {
    return this.#other.join("").slice(-500);
  }

  /** When the last write was acknowledged, ms since 1970; 0 before the first. */
  get lastAckAt(): number {
    return this.lines.findLast(isAck)?.to ?? 0;
  }

  /** The acknowledged keys. */
  get keys(): string[] {
    return this.lines.filter(isAck).map(({ ack }) => ack);
  }

  /** Closes its stdin, which ends it; after 5 s it is killed. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    const limit = Date.now() + STOP_MS;
    while (this.#ended === undefined && Date.now() < limit) await new Promise((resolve) => setTimeout(resolve, 20));
    if (this.#ended === undefined) this.#child.kill("SIGKILL");
  }

  #read(text: string): void {
    const line = parseLine(text);
    if (line === undefined) {
      this.#other.push(`${text}\n`);
      return;
    }
    this.lines.push(line);
    this.stamps.push(Date.now());
  }
}
