import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { findUninjected, uninjectedMessage, watchUninjected } from "../../../handlers/watch/uninjected.ts";
import { PATH } from "../../../kube/paths.ts";
import type { Pod } from "../../../kube/types.ts";
import { silentLog } from "../../../report/log.ts";
import { createMetrics } from "../../../report/metrics.ts";
import type { Occurrence } from "../../../report/report.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";

const OWNER = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "cache-7d4", uid: "r1", controller: true };
const pod = (name: string, metadata: Pod["metadata"] = {}): Pod => ({
  metadata: { name, namespace: "shop", uid: name, ...metadata },
});
const asks = { "redis-ha.io/cluster": "cache" };
const injected = { "redis-ha.io/cluster": "cache", "redis-ha.io/instance": "abcdefghij" };

describe("which pods", () => {
  test("those that ask and have no instance", () => {
    const pods = [
      pod("plain"),
      pod("annotated", { annotations: asks }),
      pod("labelled", { labels: asks }),
      pod("injected", { annotations: asks, labels: injected }),
      pod("going", { annotations: asks, deletionTimestamp: "2026-11-22T12:00:00Z" }),
      pod("other", { annotations: { "example.com/redis-ha.io": "x" } }),
      {},
    ];
    expect(findUninjected(pods).map(({ metadata }) => metadata?.name)).toEqual(["annotated", "labelled"]);
  });

  test("what to do is said, and fits into an Event", () => {
    const long = { ...pod("p".repeat(63), { annotations: { "redis-ha.io/cluster": "c".repeat(40) }, ownerReferences: [OWNER] }) };
    expect(uninjectedMessage(long)).toContain(`kubectl -n shop delete pod ${"p".repeat(63)}`);
    expect(uninjectedMessage(long).length).toBeLessThan(1024);
    expect(uninjectedMessage(pod("alone", { annotations: asks }))).toContain("delete it and create it anew");
  });
});

describe("while leading", () => {
  let api: FakeApi;
  let stop: (() => Promise<void>) | undefined;
  beforeEach(async () => {
    api = await startFakeApi();
  });
  afterEach(async () => {
    await stop?.();
    await api.close();
  });

  function start(leading: () => boolean, namespace?: string) {
    const metrics = createMetrics();
    const reports: Occurrence[] = [];
    const reporter = { report: (occurrence: Occurrence) => void reports.push(occurrence) };
    const deployment = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "cache" };
    const workloads = { of: () => [deployment] };
    const scope = namespace === undefined ? {} : { namespace };
    const options = { kube: api.kube, reporter, metrics, log: silentLog(), workloads, leading, everyMs: 50, ...scope };
    stop = watchUninjected(options).stop;
    const count = async (): Promise<number | undefined> => (await metrics.uninjectedPods.get()).values[0]?.value;
    return { reports, count, deployment };
  }

  test("counts them, and reports each once on the pod and its workload", async () => {
    const { reports, count, deployment } = start(() => true, "shop");
    api.put(PATH.pods("shop", "a"), pod("a", { annotations: asks }));
    api.put(PATH.pods("shop", "b"), pod("b", { labels: injected }));
    await vi.waitFor(() => expect(reports).toHaveLength(1), { timeout: 15_000 });
    expect(reports[0]).toMatchObject({
      reason: "NotInjected",
      namespace: "shop",
      involved: [{ kind: "Pod", namespace: "shop", name: "a", uid: "a" }, deployment],
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(reports).toHaveLength(1);
    expect(await count()).toBe(1);
    api.drop(PATH.pods("shop", "a"));
    await vi.waitFor(async () => expect(await count()).toBe(0), { timeout: 15_000 });
  });

  test("a replica that does not lead does not look", async () => {
    const { reports, count } = start(() => false, "shop");
    api.put(PATH.pods("shop", "a"), pod("a", { annotations: asks }));
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([reports, await count(), api.seen]).toEqual([[], 0, []]);
  });

  test("goes on when the API server was away", async () => {
    let away = true;
    api.fault = (_request, response) => {
      if (away) response.writeHead(503).end("{}");
      return away;
    };
    const { reports } = start(() => true, "shop");
    api.put(PATH.pods("shop", "a"), pod("a", { annotations: asks }));
    await new Promise((resolve) => setTimeout(resolve, 200));
    away = false;
    await vi.waitFor(() => expect(reports).toHaveLength(1), { timeout: 15_000 });
  });
});
