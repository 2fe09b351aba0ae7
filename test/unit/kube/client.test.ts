import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { connectKube, type Kube } from "../../../kube/client.ts";
import { isConflict, isNotFound, isThrottled, isTimeout, isUnavailable, type KubeError } from "../../../kube/error.ts";
import { PATH, pointer } from "../../../kube/paths.ts";

let server: Server;
let kube: Kube;
let sockets: Set<Socket>;

async function serve(
  handler: (request: IncomingMessage, response: ServerResponse, body: string) => void,
  token = () => "t",
): Promise<Kube> {
  sockets = new Set();
  server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => handler(request, response, body));
  });
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  kube = connectKube({
    access: { server: `http://127.0.0.1:${port}/prefix/`, load: async () => ({ tls: {}, headers: { authorization: token() } }) },
  });
  return kube;
}

afterEach(async () => {
  kube.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const failed = (promise: Promise<unknown>): Promise<KubeError> =>
  promise.then(
    () => expect.unreachable("should have failed"),
    (error) => error as KubeError,
  );

describe("requests", () => {
  test("paths, queries, bodies and content types", async () => {
    const seen: string[] = [];
    await serve((request, response, body) => {
      seen.push(`${request.method} ${request.url} ${request.headers["content-type"] ?? "-"} ${body}`);
      response.end('{"ok":true}');
    });
    await kube.get(PATH.pods("ns", "a"));
    await kube.list(PATH.pods(), { query: { labelSelector: "a=b", limit: undefined } });
    await kube.create(PATH.services("ns"), { a: 1 });
    await kube.replace(PATH.leases("ns", "l"), { b: 2 });
    await kube.jsonPatch(PATH.pods("ns", "a", "status"), [
      { op: "remove", path: `/metadata/labels/${pointer("redis-ha.io/role")}` },
    ]);
    await kube.mergePatch(PATH.nodes("n"), { c: null });
    await kube.remove(PATH.pods("ns", "a"), { uid: "u" });
    expect(seen).toEqual([
      "GET /prefix/api/v1/namespaces/ns/pods/a - ",
      "GET /prefix/api/v1/pods?labelSelector=a%3Db - ",
      'POST /prefix/api/v1/namespaces/ns/services application/json {"a":1}',
      'PUT /prefix/apis/coordination.k8s.io/v1/namespaces/ns/leases/l application/json {"b":2}',
      'PATCH /prefix/api/v1/namespaces/ns/pods/a/status application/json-patch+json [{"op":"remove","path":"/metadata/labels/redis-ha.io~1role"}]',
      'PATCH /prefix/api/v1/nodes/n application/merge-patch+json {"c":null}',
      'DELETE /prefix/api/v1/namespaces/ns/pods/a application/json {"preconditions":{"uid":"u"}}',
    ]);
  });

  test("an error carries the Status object's words", async () => {
    await serve((_request, response) => {
      response.writeHead(409, { "retry-after": "2" });
      response.end(JSON.stringify({ kind: "Status", reason: "Conflict", message: "the object has been modified" }));
    });
    const error = await failed(kube.get("/x"));
    expect(error).toMatchObject({ status: 409, reason: "Conflict", retryAfterMs: 2000 });
    expect(error.message).toBe("GET /x: 409 the object has been modified");
    expect(isConflict(error)).toBe(true);
  });

  test.each([
    [404, isNotFound],
    [429, isThrottled],
    [503, isUnavailable],
    [504, isTimeout],
  ])("%d is recognised, also without a Status object", async (status, predicate) => {
    await serve((_request, response) => void response.writeHead(status).end("<html>"));
    expect(predicate(await failed(kube.get("/x")))).toBe(true);
  });

  test("a JSON patch that does not apply is a conflict, an object that breaks a rule is not", async () => {
    let message = "the server rejected our request due to an error in our request";
    await serve((_request, response) => void response.writeHead(422).end(JSON.stringify({ reason: "Invalid", message })));
    expect(isConflict(await failed(kube.jsonPatch("/x", [])))).toBe(true);
    message = 'Service "x" is invalid: spec.ports: Required value';
    expect(isConflict(await failed(kube.jsonPatch("/x", [])))).toBe(false);
  });

  test("nobody there is unavailable, with status 0", async () => {
    await serve(() => undefined);
    server.close();
    const error = await failed(kube.get("/x"));
    expect([error.status, error.reason, isUnavailable(error)]).toEqual([0, "ConnectionFailed", true]);
  });
});

describe("connections", () => {
  test("are kept and used again", async () => {
    await serve((_request, response) => void response.end("{}"));
    for (let round = 0; round < 10; round += 1) await kube.get("/x");
    expect(sockets.size).toBe(1);
  });

  test("a request that hangs neither delays another nor lasts for ever", async () => {
    await serve((request, response) => void (request.url?.endsWith("/hang") || response.end("{}")));
    await kube.warm(2);
    expect(sockets.size).toBe(2);
    const hanging = failed(kube.get("/hang", { timeoutMs: 200 }));
    const startedAt = performance.now();
    await kube.mergePatch("/x", {});
    expect(performance.now() - startedAt).toBeLessThan(50);
    expect(sockets.size).toBe(2);
    expect(isTimeout(await hanging)).toBe(true);
  });

  test("after a time-out nothing is sent over the connections that sat beside it", async () => {
    await serve((request, response) => void (request.url?.endsWith("/hang") || response.end("{}")));
    await kube.warm(2);
    await failed(kube.get("/hang", { timeoutMs: 50 }));
    await kube.get("/x");
    expect(sockets.size).toBe(3);
  });

  test("a kept connection that the server closed is no error, except where a repeat could do harm", async () => {
    await serve((request, response) => {
      if (request.url?.endsWith("/close")) response.end("{}", () => request.socket.resetAndDestroy());
      else response.end("{}");
    });
    // The server resets the connection in the very moment when the client sends its next request over it.
    let resets = 0;
    for (let round = 0; round < 20; round += 1) {
      await kube.get("/close");
      await kube.get("/x");
      resets += 1;
    }
    expect(resets).toBe(20);
  });

  test("a token that was rotated is read again, and the request repeated", async () => {
    let valid = "first";
    let read = "first";
    await serve(
      (request, response) => void response.writeHead(request.headers.authorization === valid ? 200 : 401).end("{}"),
      () => read,
    );
    await kube.get("/x");
    valid = read = "second";
    await kube.get("/x");
    valid = "third";
    expect((await failed(kube.get("/x"))).status).toBe(401);
  });

  test("an abort ends the request", async () => {
    await serve(() => undefined);
    const stop = new AbortController();
    const request = failed(kube.get("/x", { signal: stop.signal }));
    setTimeout(() => stop.abort(), 20);
    expect((await request).reason).toBe("Stopped");
  });
});
