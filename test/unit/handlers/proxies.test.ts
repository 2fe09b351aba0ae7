/** The schedule that we believe kube-proxy has, beside a copy of how its runner really works. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { afterChange, freeAt, SYNC_MS, unknownSchedule } from "../../../handlers/policies/proxies.ts";
import { type ProxyWatch, watchProxies } from "../../../handlers/watch/proxies.ts";
import { PATH } from "../../../kube/paths.ts";
import { silentLog } from "../../../report/log.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";

/** The longest sync that is reckoned with, the period after it, and the lag of a watch. */
const PERIOD_MS = 1000 + 120;
const LAG_MS = 30;
const START = 10_000;
const freeAfter = (...changes: number[]): number => freeAt(changes.reduce(afterChange, unknownSchedule(0))) - LAG_MS;

describe("the schedule of kube-proxy", () => {
  test("nothing known: it may just have begun", () => {
    expect(freeAt(unknownSchedule(5000))).toBe(5000 + PERIOD_MS + LAG_MS);
  });

  test("a change is taken up at once, and the next one a period later", () => {
    expect(freeAfter(START)).toBe(START + PERIOD_MS);
  });

  test("a second change within the period costs a second period", () => {
    expect(freeAfter(START, START + 200)).toBe(START + 2 * PERIOD_MS);
    expect(freeAfter(START, START + 200, START + 900)).toBe(START + 2 * PERIOD_MS);
  });

  test("a change during the deferred sync's period costs a third", () => {
    expect(freeAfter(START, START + 200, START + 1500)).toBe(START + 3 * PERIOD_MS);
  });

  test("a change after all that begins anew", () => {
    expect(freeAfter(START, START + 200, START + 2500)).toBe(START + 2500 + PERIOD_MS);
  });

  test("a change that may or may not have been in time for the deferred sync counts as too late", () => {
    // A proxy with a sync of 5 ms began its second one at 1005 ms, one with a sync of 120 ms at 1120 ms.
    expect(freeAfter(START, START + 200, START + 1060)).toBeGreaterThanOrEqual(START + 3 * 1005);
  });

  test("is that of the slowest of the real runners that are reckoned with", () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(gaps, (between) => {
        let at = START;
        const changes = between.map((gap) => {
          at += gap;
          return at;
        });
        const real = SYNC_MS.map((syncMs) => runnerFreeAt(changes, syncMs));
        expect(freeAfter(...changes)).toBe(Math.max(...real));
      }),
    );
  });
});

/** BoundedFrequencyRunner.Loop of kube-proxy 1.34–1.37: run, then wait for minInterval after the run has ended, then run again if anything was asked for. */
function runnerFreeAt(changes: readonly number[], syncMs: number): number {
  const queue = [...changes];
  let free = 0;
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const start = Math.max(next, free);
    // What comes before the sync starts is part of it.
    while (queue[0] !== undefined && queue[0] <= start) queue.shift();
    free = start + syncMs + 1000;
  }
  return free;
}

describe("the watch of what keeps the proxies busy", () => {
  let api: FakeApi;
  let proxies: ProxyWatch | undefined;
  beforeEach(async () => {
    api = await startFakeApi();
  });
  afterEach(async () => {
    proxies?.stop();
    await api.close();
  });

  test("asks for identities only, without headless Services, and counts every change", async () => {
    const asked: { accept: string | undefined; selector: string | null }[] = [];
    api.fault = (request) => {
      const url = new URL(request.url ?? "/", "http://api");
      if (url.pathname.endsWith("/endpointslices"))
        asked.push({ accept: request.headers.accept, selector: url.searchParams.get("labelSelector") });
      return false;
    };
    proxies = watchProxies({ kube: api.kube, log: silentLog() });
    await vi.waitFor(() => expect(api.watches()).toBe(1), { interval: 5 });
    expect(asked.map(({ selector }) => selector)).toEqual(Array(2).fill("!service.kubernetes.io/headless"));
    expect(asked.map(({ accept }) => accept?.includes("PartialObjectMetadata"))).toEqual([true, true]);
    const before = proxies.freeInMs();
    expect(before).toBeLessThanOrEqual(PERIOD_MS + LAG_MS);
    // The fake's collections are by path: a slice of some namespace is told on the watch of all only under that path.
    api.put(`${PATH.endpointSlices()}/a`, { metadata: { name: "a", namespace: "other" } });
    await vi.waitFor(() => expect(proxies?.freeInMs()).toBeGreaterThan(PERIOD_MS + LAG_MS), { interval: 5 });
  });
});
