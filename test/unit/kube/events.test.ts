import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createEventRecorder, type EventInput, type EventRecorder } from "../../../kube/events.ts";
import type { CoreEvent } from "../../../kube/types.ts";
import { silentLog } from "../../../report/log.ts";
import { type FakeApi, startFakeApi } from "./fake-api.ts";

let api: FakeApi;
let nowMs: number;
let dropped: number;

const event = (message = "master is cache-a"): EventInput => ({
  involved: { apiVersion: "v1", kind: "Pod", namespace: "ns", name: "cache-a", uid: "u1" },
  reason: "MasterRouted",
  message,
  type: "Normal",
});
const recorder = (capacity = 256): EventRecorder =>
  createEventRecorder({
    kube: api.kube,
    log: silentLog(),
    now: () => nowMs,
    capacity,
    onDropped: () => {
      dropped += 1;
    },
  });
const written = (): CoreEvent[] => [...api.objects.values()] as CoreEvent[];

beforeEach(async () => {
  api = await startFakeApi();
  nowMs = Date.parse("2026-01-01T00:00:00Z");
  dropped = 0;
});
afterEach(() => api.close());

describe("createEventRecorder", () => {
  test("writes an Event that kubectl describe shows", async () => {
    const events = recorder();
    events.record(event());
    await events.flush();
    expect(written()).toMatchObject([
      {
        metadata: { namespace: "ns", name: expect.stringMatching(/^cache-a\.[0-9a-f]{16}$/) },
        involvedObject: { kind: "Pod", name: "cache-a", uid: "u1" },
        reason: "MasterRouted",
        message: "master is cache-a",
        count: 1,
        firstTimestamp: "2026-01-01T00:00:00.000Z",
        source: { component: "redis-ha" },
      },
    ]);
  });

  test("repeats within ten minutes raise the count, later ones are new", async () => {
    const events = recorder();
    for (let round = 0; round < 3; round += 1) {
      events.record(event());
      events.record(event());
      await events.flush();
      nowMs += 60_000;
    }
    expect(written()).toMatchObject([{ count: 6, lastTimestamp: "2026-01-01T00:02:00.000Z" }]);
    nowMs += 11 * 60_000;
    events.record(event());
    events.record(event("another text"));
    await events.flush();
    expect(written().map((one) => one.count)).toEqual([6, 1, 1]);
  });

  test("an Event that was deleted is written anew", async () => {
    const events = recorder();
    events.record(event());
    await events.flush();
    api.objects.clear();
    events.record(event());
    await events.flush();
    expect(written()).toMatchObject([{ count: 1 }]);
  });

  test("objects of the whole cluster have their Events in default", async () => {
    const events = recorder();
    events.record({ ...event(), involved: { apiVersion: "v1", kind: "Node", name: "n1" } });
    await events.flush();
    expect(written()[0]?.metadata.namespace).toBe("default");
  });

  test("the queue is bounded and keeps the newest; failures are dropped, not thrown", async () => {
    const events = recorder(3);
    for (let index = 0; index < 10; index += 1) events.record(event(`number ${index}`));
    await events.flush();
    const messages = written().map((one) => one.message);
    expect(messages.slice(-3)).toEqual(["number 7", "number 8", "number 9"]);
    expect(dropped).toBe(10 - messages.length);
    dropped = 0;
    api.fault = (_request, response) => {
      response.writeHead(403).end("{}");
      return true;
    };
    events.record(event("forbidden"));
    await events.flush();
    expect(dropped).toBe(1);
  });

  test("a long message is cut at a character, within 1024 bytes", async () => {
    const events = recorder();
    events.record(event("ü".repeat(2000)));
    await events.flush();
    const message = written()[0]?.message ?? "";
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(1024);
    expect(message).toMatch(/^ü+…$/);
  });
});
