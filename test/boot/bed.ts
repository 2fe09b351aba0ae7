/**
 * Pods without Kubernetes: the real boot scripts with real servers, each "pod" an address of the loopback range and a folder. A fake `getent` plays the
 * headless sentinel Service. Everything that a bed starts is in process groups of its own and ends with the bed.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { promisify } from "node:util";
import { ENV, NOBODY, REDIS_PORT, SENTINEL_PORT } from "../../model/names.ts";
import { busyboxBinary, type ServerBinary } from "../servers/install.ts";

const run = promisify(execFile);
const scripts = join(import.meta.dirname, "../../docker/boot");

export type Shell = "dash" | "ash";
export type Variables = Record<string, string>;

export const GROUP = "default.cache";
/** Everything that a shell, a quoted word of a configuration or a pattern could stumble over. */
export const PASSWORD = `p"a\\ss 'w$o#r*d\``;

let beds = 0;

export class Bed {
  readonly #folder: string;
  readonly #network: string;
  readonly #pods: Pod[] = [];
  readonly binary: ServerBinary;
  readonly shell: Shell;
  readonly password: string;
  /** all pods of the bed speak TLS with the files of this folder; `authority` is whom the tests trust */
  tls: { folder: string; authority: string; name: string } | undefined;

  private constructor(folder: string, binary: ServerBinary, shell: Shell, password: string) {
    this.#folder = folder;
    this.binary = binary;
    this.shell = shell;
    this.password = password;
    // Test files run in processes of their own: two beds never share an address.
    this.#network = `127.${10 + (process.pid % 240)}.${++beds}`;
  }

  static async make(binary: ServerBinary, shell: Shell = "dash", password = PASSWORD): Promise<Bed> {
    const folder = await mkdtemp(join(tmpdir(), "redis-ha-boot-"));
    const bed = new Bed(folder, binary, shell, password);
    await mkdir(join(folder, "fake"));
    await writeFile(join(folder, "addresses"), "");
    await bed.fake("getent", `[ "$1" = ahosts ] && [ -s ${folder}/addresses ] && cat ${folder}/addresses`);
    if (shell === "ash") await bed.#applets();
    return bed;
  }

  /** A program that comes before all others in PATH. */
  async fake(name: string, body: string): Promise<void> {
    const path = join(this.#folder, "fake", name);
    await writeFile(path, `#!/bin/sh\n${body}\n`);
    await chmod(path, 0o755);
  }

  /** Only what an Alpine image has: no program of the machine is found then. */
  async #applets(): Promise<void> {
    const busybox = await busyboxBinary();
    const folder = join(this.#folder, "applets");
    await mkdir(folder);
    const { stdout } = await run(busybox, ["--list"]);
    for (const applet of stdout.trim().split("\n")) await symlink(busybox, join(folder, applet));
  }

  get path(): string {
    const system = this.shell === "ash" ? [join(this.#folder, "applets")] : ["/usr/bin", "/bin"];
    return [join(this.#folder, "fake"), this.binary.bin, ...system].join(":");
  }

  async pod(slot?: string): Promise<Pod> {
    const number = this.#pods.length + 1;
    const home = join(this.#folder, `pod${number}`);
    const pod = new Pod(this, `${this.#network}.${number}`, home, number);
    this.#pods.push(pod);
    await cp(scripts, join(home, "bin"), { recursive: true });
    for (const name of ["redis", "sentinel", "data", "info"]) await mkdir(join(home, name));
    if (this.shell === "ash") await this.#useAsh(join(home, "bin"));
    if (slot !== undefined) await pod.giveSlot(slot);
    return pod;
  }

  async #useAsh(folder: string): Promise<void> {
    const busybox = await busyboxBinary();
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      const text = await readFile(file, "utf8");
      if (text.startsWith("#!/bin/sh\n")) await writeFile(file, text.replace("#!/bin/sh\n", `#!${busybox} sh\n`));
    }
  }

  /** What the sentinel Service resolves to. */
  async publish(pods: readonly Pod[]): Promise<void> {
    const lines = pods.flatMap(({ ip }) => [`${ip} STREAM cache-sentinel`, `${ip} DGRAM`, `${ip} RAW`]);
    await writeFile(join(this.#folder, "addresses"), lines.map((line) => `${line}\n`).join(""));
  }

  async close(): Promise<void> {
    for (const pod of this.#pods) pod.kill();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export interface Start {
  /** the user's pod has a `command`; else these are its `args` */
  readonly command?: boolean;
  readonly env?: Variables;
}

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

/** A process in its own group, with its output in a file. */
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

/** One command on a connection of its own; the reply as lines, as redis-cli prints it: nested replies flat, errors as their text. */
function ask(host: string, port: number, { password, tls }: Bed, words: readonly string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket =
      tls === undefined ? connect({ host, port }) : connectTls({ host, port, ca: tls.authority, servername: tls.name });
    const commands = password === "" ? [words] : [["auth", password], words];
    const encode = (word: string): string => `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
    let text = "";
    socket.setTimeout(3000, () => socket.destroy(new Error("no answer")));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed")));
    socket.on("connect", () =>
      socket.write(commands.map((command) => `*${command.length}\r\n${command.map(encode).join("")}`).join(""), "utf8"),
    );
    socket.setEncoding("latin1");
    socket.on("data", (chunk: string) => {
      text += chunk;
      let at = 0;
      const out: string[][] = [];
      while (out.length < commands.length) {
        const reply: string[] = [];
        const end = parse(text, at, reply);
        if (end === undefined) return;
        at = end;
        out.push(reply);
      }
      resolve((out.at(-1) ?? []).map((line) => Buffer.from(line, "latin1").toString("utf8")));
      socket.destroy();
    });
  });
}

/** Reads one RESP2 reply at an offset into lines; the offset after it, or undefined where more bytes are to come. */
function parse(text: string, start: number, out: string[]): number | undefined {
  const line = text.indexOf("\r\n", start);
  if (line < 0) return undefined;
  const body = text.slice(start + 1, line);
  const next = line + 2;
  if (text[start] === "$") {
    const size = Number(body);
    if (size < 0) return out.push("") && next;
    if (text.length < next + size + 2) return undefined;
    out.push(
      ...text
        .slice(next, next + size)
        .replace(/\n$/, "")
        .split("\n"),
    );
    return next + size + 2;
  }
  if (text[start] === "*") {
    let at: number | undefined = next;
    for (let count = Number(body); count > 0 && at !== undefined; count--) at = parse(text, at, out);
    return at;
  }
  out.push(body);
  return next;
}

/** Polls until `probe` gives a value; a failing probe counts as none. Bounded. */
export async function until<T>(what: string, probe: () => Promise<T | undefined | false>, ms = 15_000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`not seen within ${ms} ms: ${what}`);
    await pause(50);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
