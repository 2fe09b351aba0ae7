import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDashboard } from "../../../cli/dashboard.ts";
import { createTransport, type Transport } from "../../../kube/transport.ts";

let upstream: Server;
let page: Server;
let transport: Transport;
let seen: { path: string; authorization: string | undefined }[];
let streaming: (() => void) | undefined;

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

beforeEach(async () => {
  seen = [];
  upstream = createServer((incoming, response) => {
    seen.push({ path: incoming.url ?? "", authorization: incoming.headers.authorization });
    if (incoming.url?.endsWith("/page/stream?group=shop/cache")) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: one\n\n");
      streaming = () => response.write("data: two\n\n");
      return;
    }
    response.writeHead(200, { "content-type": "text/html", "content-security-policy": "default-src 'none'" });
    response.end("<p>page</p>");
  }).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const access = {
    server: `http://127.0.0.1:${portOf(upstream)}`,
    load: async () => ({ tls: {}, headers: { authorization: "Bearer mine" } }),
  };
  transport = createTransport(async () => access, "test");
  page = createDashboard({ transport, root: async () => "/api/v1/namespaces/sys/pods/one:8080/proxy" }).listen(0, "127.0.0.1");
  await once(page, "listening");
});

afterEach(() => {
  for (const server of [page, upstream]) {
    server.closeAllConnections();
    server.close();
  }
  transport.close();
});

interface Seen {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

const ask = (path: string, options: { method?: string; host?: string } = {}): Promise<Seen> =>
  new Promise((resolve, reject) => {
    const headers = options.host === undefined ? {} : { host: options.host };
    request({ host: "127.0.0.1", port: portOf(page), path, method: options.method ?? "GET", headers, agent: false }, (answer) => {
      let body = "";
      answer.on("data", (chunk) => {
        body += String(chunk);
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
    })
      .on("error", reject)
      .end();
  });

test("a page comes through the API server, with its own headers and the person's credentials", async () => {
  expect(await ask("/")).toMatchObject({
    status: 200,
    body: "<p>page</p>",
    headers: { "content-security-policy": "default-src 'none'" },
  });
  expect(seen).toEqual([{ path: "/api/v1/namespaces/sys/pods/one:8080/proxy/", authorization: "Bearer mine" }]);
});

test("a stream comes as it is written", async () => {
  const pieces: string[] = [];
  const asked = request({ host: "127.0.0.1", port: portOf(page), path: "/page/stream?group=shop/cache", agent: false }).end();
  const [answer] = (await once(asked, "response")) as [import("node:http").IncomingMessage];
  answer.on("data", (chunk) => pieces.push(String(chunk)));
  await expect.poll(() => pieces.join("")).toBe("data: one\n\n");
  streaming?.();
  await expect.poll(() => pieces.join("")).toBe("data: one\n\ndata: two\n\n");
  asked.destroy();
});

test("no path leads out of the pod's proxy", async () => {
  await ask("/../../../../secrets");
  await ask("/%2e%2e/%2e%2e/secrets");
  for (const { path } of seen) expect(path.startsWith("/api/v1/namespaces/sys/pods/one:8080/proxy/")).toBe(true);
  expect(seen.some(({ path }) => path.includes(".."))).toBe(false);
});

test("only reading, and only under this machine's own name", async () => {
  expect((await ask("/", { method: "POST" })).status).toBe(405);
  expect((await ask("/", { host: "evil.example" })).status).toBe(403);
  expect(seen).toEqual([]);
});

test("when redis-ha cannot be reached the browser is told so", async () => {
  upstream.closeAllConnections();
  upstream.close();
  expect(await ask("/")).toMatchObject({ status: 502, body: expect.stringContaining("redis-ha cannot be reached") });
});
