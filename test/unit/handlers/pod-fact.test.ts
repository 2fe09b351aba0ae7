import { describe, expect, test } from "vitest";
import { podFact } from "../../../handlers/watch/pod-fact.ts";
import type { Pod } from "../../../kube/types.ts";

const stays = (): boolean => false;

const POD: Pod = {
  metadata: {
    name: "cache-5d9f-x7",
    namespace: "shop",
    uid: "u1",
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: {
      "redis-ha.io/cluster": "cache",
      "redis-ha.io/instance": "abcdefghij",
      "redis-ha.io/has-redis": "true",
      "redis-ha.io/has-sentinel": "true",
      "redis-ha.io/role": "replica",
      "pod-template-hash": "5d9f",
    },
    annotations: { "redis-ha.io/cluster": "cache", "redis-ha.io/sentinel-slot": "2", "redis-ha.io/status": "{}" },
  },
  spec: {
    nodeName: "node-1",
    readinessGates: [{ conditionType: "redis-ha.io/in-sync" }],
    containers: [
      { name: "exporter", volumeMounts: [{ name: "other", mountPath: "/x" }] },
      { name: "redis", command: ["/redis-ha/bin/redis"], volumeMounts: [{ name: "data", mountPath: "/data" }] },
    ],
    volumes: [
      { name: "other", persistentVolumeClaim: { claimName: "other-0" } },
      { name: "data", persistentVolumeClaim: { claimName: "data-0" } },
    ],
  },
  status: {
    phase: "Running",
    podIP: "10.0.0.1",
    conditions: [{ type: "redis-ha.io/in-sync", status: "True" }],
    containerStatuses: [
      { name: "exporter", image: "", imageID: "", ready: false, restartCount: 9, state: { terminated: { exitCode: 1 } } },
      { name: "redis", image: "", imageID: "", ready: true, restartCount: 1, state: { running: {} } },
    ],
  },
};

const withRedisStatus = (status: object): Pod => ({
  ...POD,
  status: {
    ...POD.status,
    containerStatuses: [{ name: "redis", image: "", imageID: "", ready: false, restartCount: 1, ...status }],
  },
});

test("an injected pod", () => {
  expect(podFact(POD, stays)).toMatchObject({
    name: "cache-5d9f-x7",
    uid: "u1",
    ip: "10.0.0.1",
    port: 6379,
    node: "node-1",
    instance: "abcdefghij",
    role: "auto",
    hasRedis: true,
    hasSentinel: true,
    createdAt: Date.parse("2026-01-01T00:00:00Z"),
    revision: "5d9f",
    terminating: false,
    ended: false,
    orphan: false,
    started: true,
    containerEnded: false,
    restarts: 1,
    nodeGoing: false,
    slot: 2,
    roleLabel: "replica",
    hasGate: true,
    inSync: true,
    volume: "data-0",
    settingErrors: [],
  });
});

test("one without our instance label is none of ours", () => {
  expect(podFact({ metadata: { name: "x", uid: "u" } }, stays)).toBeUndefined();
  expect(podFact({}, stays)).toBeUndefined();
});

describe("the container's end, by the kubelet's word", () => {
  test.each([
    ["runs", { state: { running: {} } }, false],
    ["runs again", { state: { running: {} }, lastState: { terminated: { exitCode: 137 } } }, false],
    ["ended", { state: { terminated: { exitCode: 137 } } }, true],
    ["waits to be started again", { state: { waiting: {} }, lastState: { terminated: { exitCode: 1 } } }, true],
    ["was never started", { state: { waiting: { reason: "ImagePullBackOff" } } }, false],
    ["says nothing", {}, false],
  ])("%s", (_, status, ended) => {
    expect(podFact(withRedisStatus(status), stays)?.containerEnded).toBe(ended);
  });

  test("another container's end is not the redis's", () => {
    expect(podFact(POD, stays)?.containerEnded).toBe(false);
  });
});

test.each(["Succeeded", "Failed"])("phase %s: it has ended", (phase) => {
  expect(podFact({ ...POD, status: { ...POD.status, phase } }, stays)?.ended).toBe(true);
});

test("a pod that is not placed yet", () => {
  const { nodeName: _, ...spec } = POD.spec ?? { containers: [] };
  const fact = podFact({ ...POD, spec, status: { phase: "Pending" } }, () => true);
  expect(fact).toMatchObject({
    ip: undefined,
    node: undefined,
    nodeGoing: false,
    inSync: undefined,
    restarts: 0,
    started: false,
    containerEnded: false,
  });
});

test("a deleted pod, a cordoned node, a broken slot, wrong annotations", () => {
  const metadata = {
    ...POD.metadata,
    deletionTimestamp: "2026-01-01T00:01:00Z",
    annotations: { "redis-ha.io/cluster": "cache", "redis-ha.io/sentinel-slot": "x", "redis-ha.io/port": "nonsense" },
  };
  const fact = podFact({ ...POD, metadata }, (node) => node === "node-1");
  expect(fact).toMatchObject({ terminating: true, nodeGoing: true, slot: undefined, port: 6379 });
  expect(fact?.settingErrors).toEqual([expect.stringContaining('redis-ha.io/port: "nonsense" is not allowed')]);
});
