/** The page on this machine: a small server on the loopback address that hands the page's paths, and nothing else, to a replica of redis-ha. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { PAGE_PATH } from "../page/server/paths.ts";
import { SECURITY_HEADERS } from "../page/server/routes.ts";
import type { Way } from "./dashboard-way.ts";
import { portOf } from "./listen.ts";

const PATHS: ReadonlySet<string> = new Set(Object.values(PAGE_PATH));
const PASSED_ON = ["accept", "accept-encoding", "if-none-match"] as const;
const PASSED_BACK = ["content-type", "content-encoding", "content-length", "etag", "cache-control", "vary"] as const;

export interface Dashboard {
  readonly server: Server;
  readonly port: number;
  close(): Promise<void>;
}

/** Listens on 127.0.0.1; port 0 takes any that is free. Rejects when the port is taken. */
export async function startDashboard(way: Way, port: number): Promise<Dashboard> {
  const server = createServer((request, response) => {
    answer(way, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else refuse(response, 502, `redis-ha cannot be reached: ${error instanceof Error ? error.message : String(error)}`);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    server,
    port: portOf(server.address()),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(way: Way, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Another site's name that was made to lead here (DNS rebinding) must not read the page with the reader's browser.
  if (!isOurs(request.headers.host, request.socket.localPort)) return refuse(response, 421, "ask for this page by 127.0.0.1");
  const path = request.url ?? "/";
  const known = PATHS.has(path.split("?")[0] ?? "");
  if (request.method !== "GET" || !known) return refuse(response, 404, "not found");
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const headers = Object.fromEntries(PASSED_ON.flatMap((name) => pair(name, request.headers[name])));
  const upstream = await way.open(path, headers, gone.signal, path.startsWith(PAGE_PATH.stream) || path === PAGE_PATH.html);
  const back = Object.fromEntries(PASSED_BACK.flatMap((name) => pair(name, upstream.headers[name])));
  response.writeHead(upstream.statusCode ?? 502, { ...back, ...SECURITY_HEADERS });
  response.flushHeaders();
  // Whichever side ends first, the other one goes too; how it ended is no news to anybody.
  pipeline(upstream, response, () => undefined);
}

const pair = (name: string, value: string | string[] | undefined): [string, string][] =>
  value === undefined ? [] : [[name, String(value)]];

function isOurs(host: string | undefined, port: number | undefined): boolean {
  return host === `127.0.0.1:${port}` || host === `localhost:${port}`;
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...SECURITY_HEADERS });
  response.end(`${text}\n`);
}
