/** The page of a replica on a port of this machine: every GET is passed on through the API server's pod proxy, with the person's credentials; nothing else is. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Transport } from "../kube/transport.ts";

/** The page's stream has no end; only its head is waited for. */
const HEAD_MS = 15_000;
/** Of the answer; what belongs to one connection stays there. */
const NOT_PASSED_ON = new Set(["connection", "transfer-encoding", "keep-alive", "content-length"]);
const PASSED_ON = ["accept", "accept-encoding", "if-none-match", "last-event-id"] as const;

export interface Dashboard {
  readonly transport: Transport;
  /** the path of the replica's admin port in the API, without a slash at the end; asked for each request, since replicas come and go */
  readonly root: () => Promise<string>;
}

/** Not listening yet; for 127.0.0.1 alone. */
export function createDashboard({ transport, root }: Dashboard): Server {
  return createServer((request, response) => {
    passOn(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else refuse(response, 502, `redis-ha cannot be reached: ${error instanceof Error ? error.message : String(error)}`);
    });
  });

  async function passOn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A page of somewhere else whose name was made to lead here (DNS rebinding) must not read a cluster with this person's rights.
    if (!/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(request.headers.host ?? ""))
      return refuse(response, 403, "open this page as http://127.0.0.1");
    if (request.method !== "GET") return refuse(response, 405, "this page only reads");
    // Resolved first, so that no `..` leads to another object of the API.
    const { pathname, search } = new URL(request.url ?? "/", "http://127.0.0.1");
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const headers = Object.fromEntries(
      PASSED_ON.flatMap((name) => (request.headers[name] ? [[name, String(request.headers[name])]] : [])),
    );
    const answer = await transport.open({
      method: "GET",
      path: `${await root()}${pathname}${search}`,
      headers,
      timeoutMs: HEAD_MS,
      signal: gone.signal,
    });
    for (const [name, value] of Object.entries(answer.headers))
      if (value !== undefined && !NOT_PASSED_ON.has(name)) response.setHeader(name, value);
    response.writeHead(answer.statusCode ?? 502);
    response.flushHeaders();
    answer.on("error", () => response.destroy());
    answer.pipe(response);
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${text}\n`);
}
