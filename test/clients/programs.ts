/** The client programs: how each is built, started, and where its version is pinned. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { serverBinaries } from "../servers/install.ts";

const run = promisify(execFile);
const BUILD_MS = 20 * 60_000;

export const CONFIGS = ["default", "recommended"] as const;
export type Config = (typeof CONFIGS)[number];

export interface Program {
  /** as people call the library */
  readonly title: string;
  readonly language: string;
  /** how its writers share connections */
  readonly connections: string;
  /** the file that pins the version, and the version in it */
  readonly pin: readonly [file: string, version: RegExp];
  /** the source between the marks docs:begin and docs:end is what we recommend */
  readonly source: string;
  /** needed on the machine, for people */
  readonly needs: string;
  /** commands, run one after the other in the program's folder */
  readonly build: readonly (readonly string[])[];
  /** the command line of the writers, full paths */
  readonly start: () => Promise<readonly string[]>;
  /** it knows no single keys, so nothing can be verified and it runs by itself */
  readonly benchmark?: true;
}

const FOLDER = join(import.meta.dirname, "programs");
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "redis-ha", "clients");
const NPM = join(import.meta.dirname, "..", "..", "node_modules", ".bin", "npm");

const at = (...path: string[]): string => join(FOLDER, ...path);
const built = (...path: string[]): string => join(CACHE, ...path);
const node = (...path: string[]) => ({
  build: [[existsSync(NPM) ? NPM : "npm", "ci", "--no-audit", "--no-fund"]],
  start: async () => [process.execPath, at(...path)],
});
const java = (name: string) => ({
  needs: "JDK 17 and Maven",
  build: [
    [
      "mvn",
      "-q",
      "-B",
      `-Dbuild=${built(name)}`,
      "compile",
      "dependency:copy-dependencies",
      `-DoutputDirectory=${built(name, "lib")}`,
    ],
  ],
  start: async () => ["java", "-Xmx64m", "-XX:+UseSerialGC", "-cp", `${built(name, "classes")}:${built(name, "lib")}/*`, "Main"],
});

export const PROGRAMS: Readonly<Record<string, Program>> = {
  ioredis: {
    title: "ioredis",
    language: "Node.js",
    connections: "one, shared",
    pin: ["package.json", /"ioredis": "(.*)"/],
    source: "main.mjs",
    needs: "npm",
    ...node("ioredis", "main.mjs"),
  },
  "node-redis": {
    title: "node-redis",
    language: "Node.js",
    connections: "one, shared",
    pin: ["package.json", /"redis": "(.*)"/],
    source: "main.mjs",
    needs: "npm",
    ...node("node-redis", "main.mjs"),
  },
  "redis-py": {
    title: "redis-py",
    language: "Python",
    connections: "a pool",
    pin: ["requirements.txt", /redis==(\S+)/],
    source: "main.py",
    needs: "Python 3 with venv",
    build: [
      ["python3", "-m", "venv", built("redis-py")],
      [built("redis-py", "bin", "pip"), "install", "-q", "--disable-pip-version-check", "--no-deps", "-r", "requirements.txt"],
    ],
    start: async () => [built("redis-py", "bin", "python"), at("redis-py", "main.py")],
  },
  "go-redis": {
    title: "go-redis",
    language: "Go",
    connections: "a pool",
    pin: ["go.mod", /go-redis\/v9 v(\S+)/],
    source: "main.go",
    needs: "Go",
    build: [["go", "build", "-o", built("go-redis", "client"), "."]],
    start: async () => [built("go-redis", "client")],
  },
  jedis: {
    title: "Jedis",
    language: "Java",
    connections: "a pool",
    pin: ["pom.xml", /<artifactId>jedis<\/artifactId>\s*<version>(\d[\d.]+\.[^<]*)</],
    source: "src/main/java/Main.java",
    ...java("jedis"),
  },
  lettuce: {
    title: "Lettuce",
    language: "Java",
    connections: "one, shared",
    pin: ["pom.xml", /<artifactId>lettuce-core<\/artifactId>\s*<version>([^<]+)</],
    source: "src/main/java/Main.java",
    ...java("lettuce"),
  },
  "redis-rs": {
    title: "redis-rs",
    language: "Rust",
    connections: "one, shared",
    pin: ["Cargo.toml", /redis = \{ version = "=([^"]+)"/],
    source: "src/main.rs",
    needs: "Rust with Cargo",
    build: [["cargo", "build", "--quiet", "--locked", "--target-dir", built("redis-rs")]],
    start: async () => [built("redis-rs", "debug", "client")],
  },
  "redis-benchmark": {
    title: "redis-benchmark",
    language: "C",
    connections: "one per writer",
    pin: ["version.txt", /(\S+)/],
    source: "main.mjs",
    needs: "nothing",
    build: [],
    start: async () => [process.execPath, at("redis-benchmark", "main.mjs"), ...(await benchmarkCommand())],
    benchmark: true,
  },
};

/** The version that is pinned. */
export function versionOf(name: string): string {
  const [file, pattern] = known(name).pin;
  const version = pattern.exec(readFileSync(at(name, file), "utf8"))?.[1];
  if (version === undefined) throw new Error(`${file} of ${name} pins no version`);
  return version;
}

/** The recommended settings as they stand in the program, without their indentation. */
export function settingsOf(name: string): string {
  const text = readFileSync(at(name, known(name).source), "utf8");
  const found = /^.*docs:begin\n([\s\S]*?)\n.*docs:end/m.exec(text)?.[1];
  if (found === undefined) throw new Error(`${name} has no settings between docs:begin and docs:end`);
  const lines = found.split("\n");
  const indent = Math.min(...lines.filter((line) => line.trim() !== "").map((line) => /^\s*/.exec(line)?.[0].length ?? 0));
  return lines.map((line) => line.slice(indent)).join("\n");
}

export function known(name: string): Program {
  const program = PROGRAMS[name];
  if (program === undefined) throw new Error(`no client is called ${name}; there are ${Object.keys(PROGRAMS).join(", ")}`);
  return program;
}

/** Builds a program; an error says what the machine lacks. The first time takes minutes (redis-rs). */
export async function build(name: string): Promise<void> {
  const { build: commands, needs } = known(name);
  for (const [program = "", ...args] of commands) {
    try {
      await run(program, args, { cwd: at(name), timeout: BUILD_MS, env: { ...process.env, CGO_ENABLED: "0" } });
    } catch (error) {
      throw new Error(`${name} can't be built; it needs ${needs}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** redis-benchmark of the same package as redis-cli, started in the same way. */
async function benchmarkCommand(): Promise<string[]> {
  const binary = (await serverBinaries()).find(({ name }) => name === "redis");
  if (binary === undefined) throw new Error("no redis among the servers");
  const script = readFileSync(binary.cli, "utf8").replace(/\/redis-cli "\$@"/, '/redis-benchmark "$@"');
  return ["sh", "-c", script, "redis-benchmark"];
}
