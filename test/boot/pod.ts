import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ENV, NOBODY, REDIS_PORT, SENTINEL_PORT } from "../../model/names.ts";
import { ask } from "./ask.ts";
import type { Bed } from "./bed.ts";
import { Running, type Variables } from "./running.ts";
import { until } from "./wait.ts";

export const GROUP = "default.cache";

export interface Start {
  /** the user's pod has a `command`; else these are its `args` */
  readonly command?: boolean;
  readonly env?: Variables;
}

/** One "pod": an address, a folder, and the servers that its boot scripts start. */
export class Pod {
  readonly bed: Bed;
  readonly ip: string;
  readonly home: string;
  readonly uid: string;
  #redis: Running | undefined;
  #sentinel: Running | undefined;

  constructor(bed: Bed, ip: string, home: string, number: number) {
    this.bed = bed;
    this.ip = ip;
    this.home = home;
    this.uid = `uid-${number}`;
  }

  get data(): string {
    return join(this.home, "data");
  }

  environment(more: Variables = {}): Variables {
    return {
      PATH: this.bed.path,
      REDIS_HA_HOME: this.home,
      REDIS_HA_POD_INFO: join(this.home, "info"),
      REDIS_HA_LOCAL: this.ip,
      REDIS_HA_BIND: this.ip,
      REDIS_HA_NOBODY_HOST: this.ip,
      REDIS_HA_SLOT_WAIT_S: "1",
      [ENV.masterName]: GROUP,
      [ENV.sentinelHost]: "cache-sentinel",
      [ENV.sentinelPort]: String(SENTINEL_PORT),
      [ENV.port]: String(REDIS_PORT),
      [ENV.podIp]: this.ip,
      [ENV.podUid]: this.uid,
      [ENV.downAfterMs]: "2000",
      ...(this.bed.password === "" ? {} : { [ENV.password]: this.bed.password }),
      ...(this.bed.tls === undefined ? {} : { [ENV.tlsFolder]: this.bed.tls.folder }),
      ...more,
    };
  }

  async giveSlot(slot: string): Promise<void> {
    await writeFile(join(this.home, "info", "slot"), slot);
  }

  /** Starts the redis container with the user's command or arguments. */
  startRedis(words: readonly string[], { command = false, env = {} }: Start = {}): Running {
    const more = { REDIS_HA_COMMAND_GIVEN: command ? "yes" : "no", ...env };
    this.#redis = new Running(
      join(this.home, "bin/redis"),
      words,
      this.data,
      this.environment(more),
      join(this.home, "redis.log"),
    );
    return this.#redis;
  }

  startSentinel(env: Variables = {}): Running {
    const log = join(this.home, "sentinel.log");
    this.#sentinel = new Running(join(this.home, "bin/sentinel"), [], this.home, this.environment(env), log);
    return this.#sentinel;
  }

  /** The preStop hook; its exit code and what it logged. */
  async preStop(env: Variables = {}): Promise<{ code: number; log: string; ms: number }> {
    const started = Date.now();
    const log = join(this.home, "prestop.log");
    const running = new Running(join(this.home, "bin/prestop"), [], this.data, this.environment(env), log);
    const code = await running.ended;
    return { code, log: await running.log(), ms: Date.now() - started };
  }

  get redis(): Running {
    if (this.#redis === undefined) throw new Error("the redis of this pod was not started");
    return this.#redis;
  }

  get sentinel(): Running {
    if (this.#sentinel === undefined) throw new Error("the sentinel of this pod was not started");
    return this.#sentinel;
  }

  kill(): void {
    this.#redis?.kill();
    this.#sentinel?.kill();
  }

  /** One command of the redis: the lines of the reply; empty where nobody answers. */
  async call(...words: string[]): Promise<string[]> {
    return this.#call(REDIS_PORT, words);
  }

  async callSentinel(...words: string[]): Promise<string[]> {
    return this.#call(SENTINEL_PORT, words);
  }

  async #call(port: number, words: readonly string[]): Promise<string[]> {
    return ask(this.ip, port, this.bed, words).catch(() => []);
  }

  /** `master`, or `slave IP PORT STATE`. */
  async role(): Promise<string> {
    const [role, ip, port, state] = await this.call("role");
    return role === "slave" ? `slave ${ip} ${port} ${state}` : (role ?? "");
  }

  /** Waits until the server answers ROLE. */
  async up(): Promise<string> {
    return until(`a role of ${this.ip}`, async () => {
      if (this.redis.code !== undefined) throw new Error(`the server ended:\n${await this.redis.log()}`);
      return (await this.role()) || undefined;
    });
  }

  async config(...names: string[]): Promise<Variables> {
    const found: Variables = {};
    for (const name of names) {
      const lines = await this.call("config", "get", name);
      for (let at = 0; at + 1 < lines.length; at += 2) found[lines[at] ?? ""] = lines[at + 1] ?? "";
    }
    return found;
  }

  async info(section: string): Promise<Variables> {
    const pairs = (await this.call("info", section)).map((line) => line.trim().split(":"));
    return Object.fromEntries(pairs.filter(([, value]) => value !== undefined).map(([key, ...value]) => [key, value.join(":")]));
  }

  /** The pair list of SENTINEL MASTER. */
  async monitored(): Promise<Variables> {
    const lines = await this.callSentinel("sentinel", "master", GROUP);
    const found: Variables = {};
    for (let at = 0; at + 1 < lines.length; at += 2) found[lines[at] ?? ""] = lines[at + 1] ?? "";
    return found;
  }

  /** Waits until this pod's sentinel has heard (INFO, every 10 s) that all replicas have followed a master and may be elected. */
  async seesElectable(): Promise<void> {
    const priorities = async (): Promise<string[]> => {
      const lines = await this.callSentinel("sentinel", "replicas", GROUP);
      return lines.filter((_, at) => lines[at - 1] === "slave-priority");
    };
    const all = async (): Promise<boolean> => {
      const seen = await priorities();
      return seen.length > 0 && !seen.includes("0");
    };
    await until("electable replicas", all, 25_000);
  }

  /** Does the stopped process that keeps the waiting server quiet exist? */
  async nobodyListens(): Promise<boolean> {
    const hex = this.ip
      .split(".")
      .reverse()
      .map((part) => Number(part).toString(16).padStart(2, "0"))
      .join("")
      .toUpperCase();
    const port = NOBODY.port.toString(16).toUpperCase().padStart(4, "0");
    return (await readFile("/proc/net/tcp", "utf8"))
      .split("\n")
      .some((line) => line.includes(` ${hex}:${port} 00000000:0000 0A `));
  }
}
