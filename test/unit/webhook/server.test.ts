/** What is answered to a review, and to what is none. */
import fastJsonPatch from "fast-json-patch";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ANNOTATION } from "../../../model/names.ts";
import { at, type JsonObject, stringMap } from "../../../webhook/json.ts";
import type { Client } from "./client.ts";
import { review } from "./review.ts";
import { type Served, startServed } from "./served.ts";
import { redisPod } from "./support.ts";

let served: Served;
let client: Client;

beforeEach(async () => {
  served = await startServed();
  client = served.client;
});

afterEach(async () => await served.close());

const responseOf = (json: JsonObject) => at(json, "response") as JsonObject;

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
    expect(await served.metric('redis_ha_admissions_total{kind="Pod",outcome="injected"}')).toMatch(/ 1$/);
    expect(served.lines).toMatchObject([{ level: 20, msg: "admission", outcome: "injected", subject: "Pod shop/cache-7d4b9-…" }]);
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
    expect(served.lines).toMatchObject([{ level: 30, msg: "admission denied" }]);
  });

  test("of a dry run: the same answer, and nothing is done anyway", async () => {
    const { json } = await client.post("/mutate/pods", review(redisPod(), { dryRun: true }));
    expect(responseOf(json)).toMatchObject({ allowed: true, patchType: "JSONPatch" });
    expect(served.lines).toMatchObject([{ dryRun: true }]);
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
    expect(await served.metric("redis_ha_admission_malformed_total")).toMatch(/ 1$/);
  });

  test("another content type: 415; another path: 404", async () => {
    expect((await client.post("/mutate/pods", "x", { "content-type": "text/plain" })).status).toBe(415);
    expect((await client.post("/other", review(redisPod()))).status).toBe(404);
  });
});

test("our own bug: 500 with a counter and a log line, no half patch and no detail", async () => {
  served.breakIt();
  const { status, body } = await client.post("/mutate/pods", review(redisPod()));
  expect(status).toBe(500);
  expect(body).not.toContain("a bug of ours");
  expect(await served.metric("redis_ha_admission_failures_total")).toMatch(/ 1$/);
  expect(served.lines).toMatchObject([{ level: 50, err: { message: "a bug of ours" } }]);
});
