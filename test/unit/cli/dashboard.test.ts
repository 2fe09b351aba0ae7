/** The dashboard before a stand-in for the API server, whose pod proxy leads to real admin ports with the page. */
import { createServer, request, type Server } from "node:http";
import fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Dashboard, startDashboard } from "../../../cli/dashboard-server.ts";
import { createWay } from "../../../cli/dashboard-way.ts";
import { portOf } from "../../../cli/listen.ts";
import { connectKube, type Kube } from "../../../kube/client.ts";
import { CONTENT_SECURITY_POLICY, servePage } from "../../../page/server/routes.ts";
import { madeUpFeed } from "../../page/feed.ts";

const PODS = "/api/v1/namespaces/sys/pods";
const LEASE = "/apis/coordination.k8s.io/v1/namespaces/sys/leases/redis-ha-handlers";

let api: Server;
let kube: Kube;
let dashboard: Dashboard;
/** the replicas by their pods' names; undefined: does not answer */
let replicas: Map<string, FastifyInstance | undefined>;
let leader: string;
let forbidden: boolean;
let asked: string[];

async function replica(): Promise<FastifyInstance> {
  const app = fastify({ forceCloseConnections: true });
  servePage(app, madeUpFeed(Date.now()));
  await app.listen({ port: 0, host: "127.0.0.1" });
  return app;
}

beforeEach(async () => {
  replicas = new Map([
    ["one", await replica()],
    ["two", await replica()],
  ]);
  leader = "two";
  forbidden = false;
  asked = [];
  api = createServer((incoming, outgoing) => {
    const path = incoming.url ?? "";
    const json = (status: number, body: unknown): void => {
      outgoing.writeHead(status, { "content-type": "application/json" });
      outgoing.end(JSON.stringify(body));
    };
    if (path.startsWith(`${PODS}?`)) {
      const items = [...replicas.keys()].map((name) => ({ metadata: { name }, status: { phase: "Running" } }));
      return json(200, { items });
    }
    if (path === LEASE) return json(200, { spec: { holderIdentity: `${leader}_0123abcd` } });
    const [, pod = "", rest = ""] = /^\/api\/v1\/namespaces\/sys\/pods\/([a-z]+):8080\/proxy(\/.*)$/.exec(path) ?? [];
    asked.push(`${pod} ${rest}`);
    if (forbidden) return json(403, { reason: "Forbidden", message: "no" });
    const app = replicas.get(pod);
    if (app === undefined) return json(503, { reason: "ServiceUnavailable" });
    const onward = request(
      { host: "127.0.0.1", port: portOf(app.server.address()), path: rest, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 0, { ...answer.headers, "audit-id": "of the API server" });
        answer.pipe(outgoing);
        outgoing.on("close", () => answer.destroy());
      },
    );
    onward.end();
  });
  await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
  const server = `http://127.0.0.1:${portOf(api.address())}`;
  kube = connectKube({ access: { server, load: async () => ({ tls: {}, headers: { authorization: "Bearer t" } }) } });
  dashboard = await startDashboard(createWay({ kube, system: "sys" }), 0);
});

afterEach(async () => {
  await dashboard.close();
  kube.close();
  for (const app of replicas.values()) await app?.close();
  api.closeAllConnections();
  await new Promise((resolve) => api.close(resolve));
});

interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** With `until` the answer is broken off as soon as that text has come. */
function ask(path: string, options: { host?: string; method?: string; until?: string } = {}): Promise<Answer> {
  const { host, method = "GET", until } = options;
  return new Promise((resolve, reject) => {
    const headers = host === undefined ? {} : { host };
    const asking = request({ host: "127.0.0.1", port: dashboard.port, path, method, headers, agent: false }, (answer) => {
      let body = "";
      const done = (): void => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body });
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
        if (until === undefined || !body.includes(until)) return;
        done();
        asking.destroy();
      });
      answer.on("end", done);
    });
    asking.on("error", reject);
    asking.end();
  });
}

test("the page and its stream come from the leader, with the page's own headers and no others", async () => {
  const page = await ask("/");
  expect(page.status).toBe(200);
  expect(page.body).toContain("<title>redis-ha</title>");
  expect(page.headers).toMatchObject({ "content-security-policy": CONTENT_SECURITY_POLICY, "x-content-type-options": "nosniff" });
  expect(page.headers).not.toHaveProperty("audit-id");
  const stream = await ask("/page/stream?group=shop%2Fcache", { until: "event: tick" });
  expect(stream.headers["content-type"]).toContain("text/event-stream");
  expect(stream.body).toContain('"cluster":"cache"');
  expect(asked).toEqual(["two /", "two /page/stream?group=shop%2Fcache"]);
});

test("a leader that does not answer: the other replica shows the page", async () => {
  const gone = replicas.get("two");
  replicas.set("two", undefined);
  expect((await ask("/")).status).toBe(200);
  expect((await ask("/page/app.js")).status).toBe(200);
  expect(asked).toEqual(["two /", "one /", "one /page/app.js"]);
  await gone?.close();
});

test("a new stream asks for the leader of now", async () => {
  await ask("/");
  leader = "one";
  await ask("/page/stream", { until: "event: tick" });
  expect(asked).toEqual(["two /", "one /page/stream"]);
});

test("without the right to the pod proxy it says which right that is", async () => {
  forbidden = true;
  const refused = await ask("/");
  expect(refused.status).toBe(502);
  expect(refused.body).toContain('the right to "get pods/proxy" in namespace sys');
});

test("nothing else of the pods or of the API server can be asked for through it", async () => {
  for (const path of ["/groups", "/metrics", "/page/../groups", "/api/v1/namespaces/sys/secrets", "//two:8080/"]) {
    expect((await ask(path)).status, path).toBe(404);
  }
  expect((await ask("/", { method: "POST" })).status).toBe(404);
  expect(asked).toEqual([]);
});

test("a name that was made to lead here gets nothing", async () => {
  expect((await ask("/", { host: "evil.example" })).status).toBe(421);
  expect((await ask("/", { host: `localhost:${dashboard.port}` })).status).toBe(200);
  expect(asked).toEqual(["two /"]);
});
