import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { PATH } from "../../../kube/paths.ts";
import type { Pod } from "../../../kube/types.ts";
import { type ObjectWatch, watchObjects } from "../../../kube/watch.ts";
import { silentLog } from "../../../report/log.ts";
import { type FakeApi, startFakeApi } from "./fake-api.ts";

let api: FakeApi;
let watch: ObjectWatch<Pod> | undefined;
const events: string[] = [];
const restarts: string[] = [];

const pod = (name: string): Pod => ({ metadata: { namespace: "ns", name } });
const at = (name: string): string => PATH.pods("ns", name);

function start(options: { silentMs?: number; relistMs?: number; onEvent?: () => void } = {}): ObjectWatch<Pod> {
  watch = watchObjects<Pod>({
    kube: api.kube,
    path: PATH.pods("ns"),
    log: silentLog(),
    onEvent: (type, object) => void events.push(`${type} ${object.metadata?.name}`),
    onRestart: (cause) => void restarts.push(cause),
    ...options,
  });
  return watch;
}

/** Synced and streaming. */
async function started(options: Parameters<typeof start>[0] = {}): Promise<ObjectWatch<Pod>> {
  const one = start(options);
  await one.synced;
  await vi.waitFor(() => expect(api.watches()).toBe(1), { interval: 5 });
  return one;
}

beforeEach(async () => {
  api = await startFakeApi();
  events.length = 0;
  restarts.length = 0;
});

afterEach(async () => {
  watch?.stop();
  await api.close();
});

describe("watchObjects", () => {
  test("lists, then follows every change", async () => {
    api.put(at("a"), pod("a"));
    const one = await started();
    expect([...one.items().keys()]).toEqual(["ns/a"]);
    api.put(at("b"), pod("b"));
    api.put(at("b"), pod("b"));
    api.drop(at("a"));
    await vi.waitFor(() => expect(events).toEqual(["ADDED a", "ADDED b", "MODIFIED b", "DELETED a"]), { interval: 5 });
    expect([...one.items().keys()]).toEqual(["ns/b"]);
  });

  test("an event takes milliseconds (median)", async () => {
    const latencies: number[] = [];
    let sentAt = 0;
    await started({ onEvent: () => void latencies.push(performance.now() - sentAt) });
    for (let round = 0; round < 20; round += 1) {
      sentAt = performance.now();
      api.put(at("a"), pod("a"));
      await vi.waitFor(() => expect(latencies.length).toBe(round + 1), { interval: 1 });
    }
    latencies.sort((a, b) => a - b);
    // 1 to 2 ms where the machine has nothing else to do.
    expect(latencies[10]).toBeLessThan(100);
  });

  test("goes on after the stream broke, and sees what happened meanwhile", async () => {
    await started();
    api.breakWatches();
    await vi.waitFor(() => expect(api.watches()).toBe(1), { interval: 5 });
    api.put(at("a"), pod("a"));
    await vi.waitFor(() => expect(events).toEqual(["ADDED a"]), { interval: 5 });
    expect(restarts).toEqual(["ConnectionFailed"]);
  });

  test("lists again after 410 inside the stream, and finds the differences", async () => {
    api.put(at("a"), pod("a"));
    await started();
    api.dropSilently(at("a"));
    api.putSilently(at("b"), pod("b"));
    api.sendLine(
      JSON.stringify({ type: "ERROR", object: { code: 410, reason: "Expired", message: "too old resource version" } }),
    );
    await vi.waitFor(() => expect(events).toEqual(["ADDED a", "DELETED a", "ADDED b"]), { interval: 5 });
    expect(restarts).toEqual(["Expired"]);
  });

  test("starts again when the server refuses, and when it is away", async () => {
    let refused = 0;
    api.fault = (_request, response) => {
      refused += 1;
      if (refused > 3) return false;
      response.writeHead(503).end("{}");
      return true;
    };
    await started();
    expect(restarts).toEqual(["Http503", "Http503", "Http503"]);
  });

  test("a silent stream is replaced", async () => {
    await started({ silentMs: 100 });
    await vi.waitFor(() => expect(restarts).toContain("Timeout"), { interval: 5 });
  });

  test("a broken line is no crash", async () => {
    await started();
    api.sendLine("{ this is no JSON");
    await vi.waitFor(() => expect(restarts).toEqual(["error"]), { interval: 5 });
    await vi.waitFor(() => expect(api.watches()).toBe(1), { interval: 5 });
  });

  test("a callback that throws does not end the watch", async () => {
    let calls = 0;
    await started({
      onEvent: () => {
        calls += 1;
        throw new Error("a bug");
      },
    });
    api.put(at("a"), pod("a"));
    api.put(at("b"), pod("b"));
    await vi.waitFor(() => expect(calls).toBe(2), { interval: 5 });
    expect(restarts).toEqual([]);
  });

  test("a periodic list repairs what the watch missed, without a restart", async () => {
    api.put(at("a"), pod("a"));
    await started({ relistMs: 100 });
    api.dropSilently(at("a"));
    api.putSilently(at("b"), pod("b"));
    await vi.waitFor(() => expect(events).toEqual(["ADDED a", "DELETED a", "ADDED b"]), { interval: 5 });
    expect(restarts).toEqual([]);
  });

  test("stop() ends the stream and resolves synced", async () => {
    const one = await started();
    one.stop();
    await vi.waitFor(() => expect(api.watches()).toBe(0), { interval: 5 });
    api.fault = () => true;
    const other = start();
    other.stop();
    await other.synced;
  });
});
