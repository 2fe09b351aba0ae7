import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { KubeError } from "../../../kube/error.ts";
import { createEventRecorder, type EventInput, type EventRecorder } from "../../../kube/events.ts";
import type { CoreEvent } from "../../../kube/types.ts";
import { silentLog } from "../../../report/log.ts";
import { type FakeApi, startFakeApi } from "./fake-api.ts";

let api: FakeApi;
let nowMs: number;
let dropped: number;
let pauses: number[];

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
    pause: (ms) => {
      pauses.push(ms);
      return Promise.resolve();
    },
    onDropped: () => {
      dropped += 1;
    },
  });
const written = (): CoreEvent[] => [...api.objects.values()] as CoreEvent[];

beforeEach(async () => {
  api = await startFakeApi();
  nowMs = Date.parse("2026-01-01T00:00:00Z");
  dropped = 0;
  pauses = [];
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

  test("a server that is busy or does not answer is asked again, as it wishes or ever later; then it is given up", async () => {
    const events = recorder();
    let refusals = 3;
    api.fault = (_request, response) => {
      if (refusals === 0) return false;
      refusals -= 1;
      if (refusals === 1) response.destroy();
      else response.writeHead(429, refusals === 2 ? { "retry-after": "3" } : {}).end("{}");
      return true;
    };
    events.record(event());
    await events.flush();
    expect(written()).toMatchObject([{ count: 1 }]);
    expect(pauses).toEqual([3000, 500, 1000]);
    expect(dropped).toBe(0);

    refusals = Number.POSITIVE_INFINITY;
    events.record(event("never"));
    await events.flush();
    expect(dropped).toBe(1);
    expect(pauses.slice(3)).toEqual([250, 500, 1000, 2000, 4000, 8000]);
  });

  test("a write whose answer was lost is no second Event", async () => {
    const events = recorder();
    const create = api.kube.create.bind(api.kube);
    let lost = 0;
    vi.spyOn(api.kube, "create").mockImplementation(async (...given) => {
      const answer = await create(...given);
      if (lost++ === 0) throw new KubeError({ status: 0, reason: "ConnectionFailed", message: "cut" });
      return answer;
    });
    events.record(event());
    await events.flush();
    events.record(event());
    await events.flush();
    expect(written()).toMatchObject([{ count: 2 }]);
    expect(dropped).toBe(0);
  });

  test("what happens again while it waits is counted with it", async () => {
    const events = recorder();
    let refused = false;
    api.fault = (_request, response) => {
      if (refused) return false;
      refused = true;
      events.record(event());
      response.writeHead(503).end("{}");
      return true;
    };
    events.record(event());
    await events.flush();
    expect(written()).toMatchObject([{ count: 2 }]);
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
