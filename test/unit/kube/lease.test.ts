import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Kube } from "../../../kube/client.ts";
import { electLeader, type Leadership, nextStep } from "../../../kube/lease.ts";
import { PATH } from "../../../kube/paths.ts";
import type { Lease } from "../../../kube/types.ts";
import { silentLog } from "../../../report/log.ts";
import { type FakeApi, kubeOf, startFakeApi } from "./fake-api.ts";

const lease = (holderIdentity: string): Lease => ({ spec: { holderIdentity, leaseDurationSeconds: 3 } });

describe("nextStep", () => {
  test.each([
    ["nobody ever held it", undefined, 0, { kind: "create" }],
    ["it was given back", lease(""), 0, { kind: "take" }],
    ["it is ours", lease("me"), 99_000, { kind: "renew" }],
    ["its holder is alive", lease("you"), 1000, { kind: "wait", ms: 2000 }],
    ["its holder fell silent", lease("you"), 3000, { kind: "take" }],
    ["its holder was a process before us in this pod", lease("before"), 0, { kind: "take" }],
  ])("%s", (_name, seen, nowMs, expected) => {
    expect(nextStep({ lease: seen, seenAt: 0 }, "me", nowMs, 3000, (holder) => holder === "before")).toEqual(expected);
  });
});

describe("electLeader", () => {
  let api: FakeApi;
  let log: string[];
  let elections: Leadership[];
  let clients: Kube[];
  const path = PATH.leases("ns", "leader");

  const elect = (identity: string, kube: Kube = kubeOf(api.server)): Leadership => {
    const election = electLeader({
      kube,
      namespace: "ns",
      name: "leader",
      identity,
      leaseMs: 1000,
      renewMs: 100,
      onGained: () => log.push(`+${identity}`),
      onLost: () => log.push(`-${identity}`),
      log: silentLog(),
    });
    elections.push(election);
    clients.push(kube);
    return election;
  };
  const until = (expected: string[], timeout = 3000): Promise<void> =>
    vi.waitFor(() => expect(log).toEqual(expected), { interval: 5, timeout });

  beforeEach(async () => {
    api = await startFakeApi();
    log = [];
    elections = [];
    clients = [];
  });

  afterEach(async () => {
    await Promise.all(elections.map((election) => election.stop()));
    for (const client of clients) client.close();
    await api.close();
  });

  test("one of two holds it, and goes on holding it", async () => {
    elect("a");
    elect("b");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(log.length).toBe(1);
    expect(elections.filter((one) => one.held).length).toBe(1);
  });

  test("the other takes over at once when it is given back", async () => {
    const a = elect("a");
    await until(["+a"]);
    elect("b");
    await new Promise((resolve) => setTimeout(resolve, 200));
    const startedAt = performance.now();
    await a.stop();
    await until(["+a", "-a", "+b"]);
    // Well before the Lease would have ended by itself.
    expect(performance.now() - startedAt).toBeLessThan(800);
  });

  test("a holder that cannot renew steps down before the other takes over", async () => {
    let cut = false;
    api.fault = (request) => cut && request.headers["x-who"] === "a";
    const kube = kubeOf(api.server, { "x-who": "a" });
    elect("a", kube);
    await until(["+a"]);
    elect("b");
    await new Promise((resolve) => setTimeout(resolve, 200));
    cut = true;
    await until(["+a", "-a", "+b"]);
    cut = false;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(log).toEqual(["+a", "-a", "+b"]);
  });

  test("after a standstill of the whole process nobody is told that it still holds: not even before the timers have run", async () => {
    const a = elect("a");
    await until(["+a"]);
    expect(a.held).toBe(true);
    const wakeAt = performance.now() + 1100;
    while (performance.now() < wakeAt);
    expect(a.held).toBe(false);
  });

  test("loses it at once when somebody else wrote it", async () => {
    elect("a");
    await until(["+a"]);
    api.put(path, { ...api.objects.get(path), spec: { holderIdentity: "person", leaseDurationSeconds: 60 } } as Lease);
    await until(["+a", "-a"]);
  });

  test("takes it again when the object is deleted", async () => {
    elect("a");
    await until(["+a"]);
    api.drop(path);
    await vi.waitFor(() => expect((api.objects.get(path) as Lease | undefined)?.spec?.holderIdentity).toBe("a"), { interval: 5 });
  });
});
