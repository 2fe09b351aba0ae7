import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { deploymentOf, isPlain, selectorBack, watchAbandoned } from "../../../handlers/watch/abandoned.ts";
import { PATH } from "../../../kube/paths.ts";
import type { Deployment, Pod, Service } from "../../../kube/types.ts";
import { silentLog } from "../../../report/log.ts";
import type { Occurrence } from "../../../report/report.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";

const RECORD = {
  pod: "legacy-7d4b9c6f8-x2x5z",
  uid: "u1",
  instance: "abcdefghij",
  ip: "10.0.0.1",
  epoch: 3,
  since: "2026-11-22T12:00:00Z",
  reason: "Adopted",
};
const ORIGINAL = JSON.stringify({ app: "legacy" });

function service(more: Record<string, string> = {}, selector: Record<string, string> = {}): Service {
  const annotations = {
    "redis-ha.io/master": JSON.stringify(RECORD),
    "redis-ha.io/history": "[]",
    "redis-ha.io/original-selector": ORIGINAL,
    ...more,
  };
  const labels = { "redis-ha.io/cluster": "cache", team: "a" };
  return {
    metadata: { name: "legacy", namespace: "shop", uid: "s1", resourceVersion: "1", annotations, labels },
    spec: { selector: { "redis-ha.io/cluster": "cache", "redis-ha.io/instance": "abcdefghij", ...selector } },
  };
}

function deployment(annotations = {}, template: object = {}): Deployment {
  const spec = { selector: { matchLabels: { app: "legacy", tier: "b" } }, template: { metadata: template } };
  return { metadata: { name: "legacy", namespace: "shop", annotations }, spec } as Deployment;
}

const plainPod = (more: Pod["metadata"] = {}, phase = "Running"): Pod => ({
  metadata: { name: "legacy-5c5c5c5c5-abcde", namespace: "shop", labels: { app: "legacy" }, ...more },
  status: { phase },
});

test("the Deployment of a pod", () => {
  expect(deploymentOf("legacy-7d4b9c6f8-x2x5z")).toBe("legacy");
  expect(deploymentOf("my-old-redis-7d4b9c6f8-x2x5z")).toBe("my-old-redis");
  for (const other of ["store-0", "store-12", "cache", "my-store-0"]) expect(deploymentOf(other)).toBeUndefined();
});

describe("what the Service selects again", () => {
  test("what it selected before it was taken over", () => {
    expect(selectorBack(service(), deployment())).toEqual({ app: "legacy" });
  });

  test("one of ours: the pods of the workload", () => {
    const own = service();
    delete own.metadata?.annotations?.["redis-ha.io/original-selector"];
    expect(selectorBack(own, deployment())).toEqual({ app: "legacy", tier: "b" });
  });

  test.each([
    ["its annotation", deployment({ "redis-ha.io/cluster": "cache" })],
    ["a mistyped one", deployment({ "redis-ha.io/clutser": "cache" })],
    ["its template's annotation", deployment({}, { annotations: { "redis-ha.io/cluster": "cache" } })],
    ["its template's label", deployment({}, { labels: { "redis-ha.io/cluster": "cache" } })],
  ])("nothing while the workload asks for redis-ha by %s", (_, asking) => {
    expect(selectorBack(service(), asking)).toBeUndefined();
  });

  test("nothing where it selected nobody", () => {
    expect(selectorBack(service({ "redis-ha.io/original-selector": "{}" }), deployment())).toBeUndefined();
  });
});

test("a plain pod runs, stays, and has no key of ours", () => {
  expect(isPlain(plainPod())).toBe(true);
  expect(isPlain(plainPod({}, "Pending"))).toBe(false);
  expect(isPlain(plainPod({ deletionTimestamp: new Date("2026-11-22T12:00:00Z") } as never))).toBe(false);
  expect(isPlain(plainPod({ annotations: { "redis-ha.io/cluster": "cache" } }))).toBe(false);
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

  const path = PATH.services("shop", "legacy");
  const stored = (): Service => api.objects.get(path) as Service;
  const patches = (): string[] => api.seen.filter((line) => line.startsWith("PATCH"));

  function start({ pods = [] as Pod[], leading = true, patienceMs = 0 } = {}): Occurrence[] {
    const reports: Occurrence[] = [];
    stop = watchAbandoned({
      kube: api.kube,
      reporter: { report: (occurrence) => void reports.push(occurrence) },
      log: silentLog(),
      leading: () => leading,
      services: () => [stored()],
      pods: () => pods,
      everyMs: 20,
      patienceMs,
    }).stop;
    return reports;
  }

  function site({ annotations = {} } = {}): void {
    api.put(path, service() as never);
    api.put(PATH.deployments("shop", "legacy"), deployment(annotations) as never);
    api.put(PATH.pods("shop", "legacy-5c5c5c5c5-abcde"), plainPod() as never);
  }

  const injected = (phase: string): Pod => ({
    metadata: { name: "x", namespace: "shop", labels: { "redis-ha.io/cluster": "cache" } },
    status: { phase },
  });

  test("a Service without a group is given back, and nothing of ours stays on it", async () => {
    site();
    const reports = start({ pods: [injected("Failed")] });
    await vi.waitFor(() => expect(reports).toHaveLength(1), { timeout: 5000 });
    expect(stored().spec?.selector).toEqual({ app: "legacy" });
    expect(stored().metadata?.annotations).toEqual({});
    expect(stored().metadata?.labels).toEqual({ team: "a" });
    expect(reports[0]).toMatchObject({
      reason: "ServiceGivenBack",
      namespace: "shop",
      cluster: "cache",
      involved: [
        { kind: "Service", name: "legacy" },
        { kind: "Deployment", name: "legacy" },
      ],
    });
    expect(reports[0]?.message).toContain("leads to legacy-5c5c5c5c5-abcde");
  });

  const claimed = service({ "redis-ha.io/master": JSON.stringify({ ...RECORD, reason: "WaitingForPods" }) });

  test.each([
    { why: "a pod of the group is there", pods: [injected("Running")] },
    { why: "a pod of the group is coming", pods: [injected("Pending")] },
    { why: "this replica does not lead", leading: false },
    { why: "its patience is not over", patienceMs: 60_000 },
    { why: "the workload still asks", annotations: { "redis-ha.io/cluster": "cache" } },
    { why: "there is no plain pod", lacks: PATH.pods("shop", "legacy-5c5c5c5c5-abcde") },
    { why: "the workload is gone", lacks: PATH.deployments("shop", "legacy") },
    { why: "the first master is only chosen", instead: claimed },
  ])("left alone while $why", async ({ annotations = {}, lacks, instead, ...options }) => {
    site({ annotations });
    if (lacks !== undefined) api.drop(lacks);
    if (instead !== undefined) api.put(path, instead as never);
    const reports = start(options);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect([reports, patches()]).toEqual([[], []]);
  });
});
