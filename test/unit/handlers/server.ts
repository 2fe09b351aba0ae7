/** A real redis-server on a loopback port for tests of the connections: the one in PATH, else the one that the test servers' cache has. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverBinaries } from "../../servers/install.ts";

/** Path of a redis-server; throws a clear error where there is none. */
export async function redisServer(): Promise<string> {
  try {
    return execFileSync("sh", ["-c", "command -v redis-server"], { encoding: "utf8" }).trim();
  } catch {
    const [first] = await serverBinaries();
    if (first === undefined) throw new Error("no redis-server in PATH and none in the cache of test/servers/install.ts");
    return first.server;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

export interface TestServer {
  readonly port: number;
  signal(name: NodeJS.Signals): void;
  /** kills it, and removes its folder */
  stop(): void;
}

/** Starts a server that says nothing and keeps nothing; resolves when it accepts connections. */
export async function startServer(binary: string, port: number, options: readonly string[] = []): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "redis-ha-link-"));
  const fixed = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder];
  const child: ChildProcess = spawn(binary, [...fixed, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<never>((_, reject) => child.once("exit", (code) => reject(new Error(`redis-server ended: ${code}`))));
  ended.catch(() => undefined);
  const ready = new Promise<void>((resolve) => {
    child.stdout?.on("data", (text: Buffer) => {
      if (text.includes("eady to accept connections")) resolve();
    });
  });
  await Promise.race([ready, ended]);
  return {
    port,
    signal: (name) => void child.kill(name),
    stop: () => {
      child.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
