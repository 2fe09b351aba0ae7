import type { AddressInfo } from "node:net";
import { connect as connectTcp } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import fastJsonPatch from "fast-json-patch";
import { pino } from "pino";
import { Registry } from "prom-client";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../model/names.ts";
import { injectConfig } from "../../../webhook/config.ts";
import { at, type JsonObject, stringMap } from "../../../webhook/json.ts";
import { registerWebhookMetrics } from "../../../webhook/metrics.ts";
import { type CertificatePair, createWebhook, type Webhook, type WebhookOptions } from "../../../webhook/server.ts";
import { type Authority, createAuthority } from "./certificate.ts";
import { type Client, connect, review } from "./client.ts";
import { NOW, redisPod } from "./support.ts";

let authority: Authority;
let pair: CertificatePair;
let registry: Registry;
let lines: JsonObject[];
let webhook: Webhook;
let client: Client;
let broken = false;

beforeAll(async () => {
  authority = await createAuthority();
  pair = await authority.issue("first");
});

async function start(more: Pick<WebhookOptions, "clientCa" | "clientNames"> = {}): Promise<Webhook> {
  registry = new Registry();
  lines = [];
  broken = false;
  const started = createWebhook({
    tls: () => pair,
    config: injectConfig("0.1.0"),
    logger: pino({ level: "debug" }, { write: (line: string) => lines.push(JSON.parse(line)) }),
    metrics: registerWebhookMetrics(registry),
    now: () => {
      if (broken) throw new Error("a bug of ours");
      return NOW;
    },
    ...more,
  });
  await started.app.listen({ port: 0, host: "localhost" });
  return started;
}

beforeEach(async () => {
  webhook = await start();
  client = connect(webhook, authority.ca);
});

afterEach(async () => {
  client.close();
  await webhook.app.close();
});

const responseOf = (json: JsonObject) => at(json, "response") as JsonObject;
const metric = async (text: string) => (await registry.metrics()).split("\n").find((line) => line.startsWith(text));

describe("a review", () => {
  test("of an annotated pod: allowed, uid echoed, a base64 JSON patch that applies", async () => {
    const pod = redisPod();
    const { status, json } = await client.post("/mutate/pods", review(pod));
    expect(status).toBe(200);
    expect(json).toMatchObject({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" });
    const response = responseOf(json);
    expect(Object.keys(response).sort()).toEqual(["allowed", "auditAnnotations", "patch", "patchType", "uid"]);
    expect(response).toMatchObject({
      uid: "0df28fbd-5f5f-11e8-bc74-36e6bb280816",
      allowed: true,
      patchType: "JSONPatch",
      auditAnnotations: { cluster: "cache", role: "auto", outcome: "injected" },
    });
    const patch = JSON.parse(Buffer.from(String(response.patch), "base64").toString());
    expect(fastJsonPatch.validate(patch, pod)).toBeUndefined();
    const { newDocument } = fastJsonPatch.applyPatch(structuredClone(pod) as object, patch, true);
    expect(at(newDocument, "spec", "containers")).toMatchObject([{ command: ["/redis-ha/bin/redis"] }]);
    expect(await metric('redis_ha_admissions_total{kind="Pod",outcome="injected"}')).toMatch(/ 1$/);
    expect(lines).toMatchObject([{ level: 20, msg: "admission", outcome: "injected", subject: "Pod shop/cache-7d4b9-…" }]);
  });

  test("of an annotated Deployment: its template is annotated", async () => {
    const deployment = {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "cache", annotations: { [ANNOTATION.cluster]: "cache" } },
      spec: { selector: {}, template: { metadata: {}, spec: { containers: [{ name: "redis" }] } } },
    };
    const { json } = await client.post("/mutate/workloads", review(deployment));
    const patch = JSON.parse(Buffer.from(String(responseOf(json).patch), "base64").toString());
    expect(patch).toEqual([
      { op: "add", path: "/spec/template/metadata/annotations", value: {} },
      { op: "add", path: "/spec/template/metadata/annotations/redis-ha.io~1cluster", value: "cache" },
    ]);
  });

  test.each([
    ["an un-annotated pod", redisPod({}), {}, "not-annotated"],
    ["an update of a pod", redisPod(), { operation: "UPDATE" }, "other-request"],
    ["an eviction", redisPod(), { subResource: "eviction" }, "other-request"],
    ["another kind", redisPod(), { kind: { group: "batch", version: "v1", kind: "Job" } }, "other-request"],
    ["a pod of another group", redisPod(), { kind: { group: "example.com", version: "v1", kind: "Pod" } }, "other-request"],
  ])("of %s: allowed, without a patch field", async (_name, object, more, skipped) => {
    const { json } = await client.post("/mutate/pods", review(object, more));
    expect(responseOf(json)).toEqual({
      uid: expect.any(String),
      allowed: true,
      auditAnnotations: { skipped, outcome: "skipped" },
    });
  });

  test("of a pod that was injected: nothing to change", async () => {
    const pod = redisPod();
    const first = responseOf((await client.post("/mutate/pods", review(pod))).json);
    const patch = JSON.parse(Buffer.from(String(first.patch), "base64").toString());
    const { newDocument } = fastJsonPatch.applyPatch(structuredClone(pod) as object, patch);
    const second = responseOf((await client.post("/mutate/pods", review(newDocument as JsonObject))).json);
    expect(second).toMatchObject({ allowed: true, auditAnnotations: { outcome: "unchanged" } });
    expect(second.patch).toBeUndefined();
    expect(second.patchType).toBeUndefined();
  });

  test("of a pod with mistakes: denied with all of them, and what to do", async () => {
    const pod = redisPod({ cluster: "cache", quorum: "x", role: "boss", quorm: "1" }, { hostNetwork: true });
    const { status, json } = await client.post("/mutate/pods", review(pod));
    expect(status).toBe(200);
    expect(responseOf(json)).toMatchObject({
      allowed: false,
      status: { status: "Failure", code: 422, reason: "Invalid" },
      warnings: ["redis-ha.io/quorm is not known: did you mean redis-ha.io/quorum?"],
      auditAnnotations: { outcome: "denied" },
    });
    expect(String(at(responseOf(json), "status", "message")).split("\n")).toEqual([
      "redis-ha cannot take Pod shop/cache-7d4b9-… as it is; 3 things to change:",
      '- redis-ha.io/role: "boss" is not allowed; use auto, master, replica or sentinel',
      '- redis-ha.io/quorum: "x" is not allowed; use a whole number from 1 to 1000',
      expect.stringMatching(/^- spec\.hostNetwork: true is not allowed/),
    ]);
    expect(lines).toMatchObject([{ level: 30, msg: "admission denied" }]);
  });

  test("of a dry run: the same answer, and nothing is done anyway", async () => {
    const { json } = await client.post("/mutate/pods", review(redisPod(), { dryRun: true }));
    expect(responseOf(json)).toMatchObject({ allowed: true, patchType: "JSONPatch" });
    expect(lines).toMatchObject([{ dryRun: true }]);
  });

  test.each([
    ["without an object", null, {}, "has no object"],
    ["without a namespace", redisPod(), { namespace: "" }, "has no namespace"],
  ])("%s: denied as malformed", async (_name, object, more, text) => {
    const { json } = await client.post("/mutate/pods", review(object, more));
    expect(responseOf(json)).toMatchObject({ allowed: false, status: { code: 400, message: expect.stringContaining(text) } });
  });

  test("with prototype keys: plain text, nothing is polluted", async () => {
    const text = JSON.stringify(review(redisPod())).replace(
      '"app":"cache"',
      '"__proto__":{"polluted":"yes"},"constructor":"x","toString":"y"',
    );
    const { json } = await client.post("/mutate/pods", text);
    expect(responseOf(json)).toMatchObject({ allowed: true, patchType: "JSONPatch" });
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    expect(stringMap({}).polluted).toBeUndefined();
  });
});

describe("what is no review is refused with 400", () => {
  test.each([
    ["v1beta1", { ...review(redisPod()), apiVersion: "admission.k8s.io/v1beta1" }, "/apiVersion"],
    ["another kind", { ...review(redisPod()), kind: "List" }, "/kind"],
    ["no request", { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" }, "request"],
    ["no uid", review(redisPod(), { uid: "" }), "/request/uid"],
    ["an unknown operation", review(redisPod(), { operation: "PATCH" }), "/request/operation"],
    ["a list", [], ""],
    ["null", "null", ""],
    ["no JSON", "{", "the body is not JSON"],
    ["nothing", "", ""],
  ])("%s", async (_name, body, text) => {
    const { status, json } = await client.post("/mutate/pods", body);
    expect(status).toBe(400);
    expect(String(json.error)).toContain(text);
    expect(await metric("redis_ha_admission_malformed_total")).toMatch(/ 1$/);
  });

  test("another content type: 415; another path: 404", async () => {
    expect((await client.post("/mutate/pods", "x", { "content-type": "text/plain" })).status).toBe(415);
    expect((await client.post("/other", review(redisPod()))).status).toBe(404);
  });
});

test("our own bug: 500 with a counter and a log line, no half patch and no detail", async () => {
  broken = true;
  const { status, body } = await client.post("/mutate/pods", review(redisPod()));
  expect(status).toBe(500);
  expect(body).not.toContain("a bug of ours");
  expect(await metric("redis_ha_admission_failures_total")).toMatch(/ 1$/);
  expect(lines).toMatchObject([{ level: 50, err: { message: "a bug of ours" } }]);
});

describe("size", () => {
  test("an object of 3 MiB, twice in one review, is taken", async () => {
    const pod = redisPod();
    const big = {
      ...pod,
      metadata: { ...(pod.metadata as object), managedFields: [{ big: "x".repeat(3 * 1024 * 1024) }] },
    } as JsonObject;
    const { status } = await client.post("/mutate/pods", review(big, { oldObject: big }));
    expect(status).toBe(200);
  });

  test("more than 7 MiB is refused", async () => {
    const outcome = await client.post("/mutate/pods", `"${"x".repeat(7 * 1024 * 1024)}"`).then(
      ({ status }) => status,
      () => "closed",
    );
    expect([413, "closed"]).toContain(outcome);
  });

  test("hostile nesting is no crash", async () => {
    const { status } = await client.post("/mutate/pods", `${"[".repeat(200_000)}${"]".repeat(200_000)}`);
    expect([400, 500]).toContain(status);
    expect((await client.post("/mutate/pods", review(redisPod()))).status).toBe(200);
  });
});

describe("certificates", () => {
  test("a new pair is served on new connections, and open connections live on", async () => {
    const before = await client.post("/mutate/pods", review(redisPod()));
    expect(before.certificate).toBe("first");
    webhook.reloadCertificates(await authority.issue("second"));
    const kept = await client.post("/mutate/pods", review(redisPod()));
    expect(kept.port).toBe(before.port);
    const other = connect(webhook, authority.ca);
    expect((await other.post("/mutate/pods", review(redisPod()))).certificate).toBe("second");
    other.close();
  });

  test("a pair that does not match is refused, and the old one stays", async () => {
    const second = await authority.issue("second");
    expect(() => webhook.reloadCertificates({ cert: second.cert, key: pair.key })).toThrow();
    expect(() => webhook.reloadCertificates({ cert: "", key: "" })).toThrow();
    expect((await client.post("/mutate/pods", review(redisPod()))).certificate).toBe("first");
  });

  test("with a client CA only its certificates are answered", async () => {
    const strict = await start({ clientCa: authority.ca });
    const stranger = connect(strict, authority.ca);
    await expect(stranger.post("/mutate/pods", review(redisPod()))).rejects.toThrow();
    strict.reloadCertificates(await authority.issue("second"));
    const known = connect(strict, authority.ca, await authority.issue("kube-apiserver"));
    expect((await known.post("/mutate/pods", review(redisPod()))).status).toBe(200);
    await expect(stranger.post("/mutate/pods", review(redisPod()))).rejects.toThrow();
    stranger.close();
    known.close();
    await strict.app.close();
  });
});

test("with client names, another certificate of the same CA (a kubelet's) is refused", async () => {
  const strict = await start({ clientCa: authority.ca, clientNames: ["kube-apiserver"] });
  const clients = await Promise.all(
    ["kube-apiserver", "kubelet"].map(async (name) => connect(strict, authority.ca, await authority.issue(name))),
  );
  const answers = await Promise.all(clients.map(({ post }) => post("/mutate/pods", review(redisPod()))));
  expect(answers.map(({ status }) => status)).toEqual([200, 403]);
  for (const one of clients) one.close();
  await strict.app.close();
});

describe("connections", () => {
  test("are kept", async () => {
    const first = await client.post("/mutate/pods", review(redisPod()));
    const second = await client.post("/mutate/pods", review(redisPod()));
    expect(second.port).toBe(first.port);
    expect(webhook.app.server.keepAliveTimeout).toBe(90_000);
  });

  test("while closing, a request in flight is answered and told to go elsewhere (kubernetes#127335)", async () => {
    await client.post("/mutate/pods", review(redisPod()));
    const { port } = webhook.app.server.address() as AddressInfo;
    const socket = connectTls({ host: "localhost", port, ca: authority.ca });
    const answered = read(socket);
    const body = JSON.stringify(review(redisPod()));
    socket.write(
      `POST /mutate/pods HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    socket.write(body.slice(0, 10));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closed = webhook.app.close();
    socket.write(body.slice(10));
    const text = await answered;
    expect(text).toMatch(/^HTTP\/1\.1 200/);
    expect(text.toLowerCase()).toContain("connection: close");
    await closed;
  });

  test("while draining, each answer gives its connection up", async () => {
    webhook.drain();
    const first = await client.post("/mutate/pods", review(redisPod()));
    const second = await client.post("/mutate/pods", review(redisPod()));
    expect([first, second]).toMatchObject([
      { status: 200, connection: "close" },
      { status: 200, connection: "close" },
    ]);
    expect(second.port).not.toBe(first.port);
  });

  test("rubbish instead of TLS does no harm", async () => {
    const { port } = webhook.app.server.address() as AddressInfo;
    for (const bytes of ["GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\xff\xff", "\0".repeat(5_000)]) {
      await new Promise<void>((resolve) => {
        const socket = connectTcp(port, "localhost", () => socket.end(bytes));
        socket.on("error", () => undefined);
        socket.on("close", () => resolve());
        socket.resume();
      });
    }
    expect((await client.post("/mutate/pods", review(redisPod()))).status).toBe(200);
  });
});

function read(socket: TLSSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", () => resolve(Buffer.concat(chunks).toString()));
    socket.on("error", reject);
  });
}
