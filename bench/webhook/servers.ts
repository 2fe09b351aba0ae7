/** The two servers that are compared, each a process on one core. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { parse } from "yaml";
import { bundle } from "../../scripts/bundle.ts";

export interface Server {
  readonly name: string;
  readonly port: number;
  /** from the start of the process until it is ready */
  readonly coldStartMs: number;
  /** CPU that it has used so far, ms */
  cpuMs(): number;
  memory(): { readonly mostMiB: number; readonly ownMiB: number };
  stop(): void;
}

const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "redis-ha", "bench");
const SOURCES = join(import.meta.dirname, "go");
const TICK_MS = 10;

/** The program that the image holds. */
export async function startOurs(port: number, certs: string, core: string): Promise<Server> {
  const program = await bundle();
  const flags = [
    "--no-handlers",
    `--certs-dir=${certs}`,
    `--webhook-port=${port}`,
    `--admin-port=${port + 1}`,
    "--log-level=info",
  ];
  // No API server: with the certificate in a directory nothing is asked of it.
  const env = {
    ...process.env,
    ...manifestEnv(),
    NODE_ENV: "production",
    KUBECONFIG: "/nonexistent",
  };
  const ready = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${port + 1}/readyz`).catch(() => undefined))?.ok === true;
  return await start("redis-ha", [process.execPath, program, "serve", ...flags], port, core, env, ready);
}

/** What the manifest sets for the process: memory limits of Node and of the C library. */
function manifestEnv(): Record<string, string> {
  const manifest = parse(readFileSync(join(import.meta.dirname, "../../manifests/base/deployment.yaml"), "utf8")) as {
    spec: { template: { spec: { containers: { env: { name: string; value?: string }[] }[] } } };
  };
  const variables = manifest.spec.template.spec.containers[0]?.env ?? [];
  return Object.fromEntries(
    variables.flatMap(({ name, value }) => (/^(NODE|MALLOC)_/.test(name) && value ? [[name, value]] : [])),
  );
}

export async function startGo(port: number, certs: string, core: string): Promise<Server> {
  const env = { ...process.env, GOMAXPROCS: "1" };
  return await start(
    "Go, controller-runtime",
    [goProgram(), `-port=${port}`, `-certs=${certs}`],
    port,
    core,
    env,
    async () => await answers(port),
  );
}

/** Built once for each state of its sources. */
function goProgram(): string {
  const hash = createHash("sha256");
  for (const file of ["main.go", "inject.go", "go.mod", "go.sum"]) hash.update(readFileSync(join(SOURCES, file)));
  const program = join(CACHE, `injector-${hash.digest("hex").slice(0, 12)}`);
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  console.error("building the Go injector (some minutes the first time)");
  execFileSync("go", ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", program, "."], {
    cwd: SOURCES,
    stdio: "inherit",
  });
  return program;
}

async function start(
  name: string,
  command: readonly string[],
  port: number,
  core: string,
  env: NodeJS.ProcessEnv,
  ready: () => Promise<boolean>,
): Promise<Server> {
  const startedAt = performance.now();
  const child: ChildProcess = spawn("taskset", ["-c", core, ...command], { env, stdio: "ignore" });
  while (!(await ready())) {
    if (child.exitCode !== null) throw new Error(`${name} ended`);
    await sleep(2);
  }
  const coldStartMs = performance.now() - startedAt;
  const status = (key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
  return {
    name,
    port,
    coldStartMs,
    cpuMs: () => {
      const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    },
    memory: () => ({ mostMiB: status("VmHWM"), ownMiB: status("RssAnon") }),
    stop: () => child.kill("SIGKILL"),
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    socket.on("secureConnect", () => resolve(true));
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(false));
    setTimeout(() => socket.destroy(), 50).unref();
  });
}

export const remove = (folder: string): void => rmSync(folder, { recursive: true, force: true });
