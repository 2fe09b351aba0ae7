/** What the soak says of its measurements: flat or not, held or not. */
import { describe, expect, test } from "vitest";
import { FENCE_MS } from "../../../bench/matrix/judge.ts";
import { judgeFlat, type Sample } from "../../../bench/soak/flat.ts";
import { KINDS, manifestsOf } from "../../../bench/soak/groups.ts";
import { type GroupVerdict, judgeGroup, longestOverlapMs, type Measured } from "../../../bench/soak/judge.ts";

const MINUTE = 60_000;

/** A process that is looked at every 5 s. */
function life(minutes: number, rss: (minute: number) => number, sockets: (minute: number) => number = () => 20): Sample[] {
  return Array.from({ length: minutes * 12 }, (_, number) => {
    const minute = number / 12;
    return { at: minute * MINUTE, rssMiB: rss(minute), sockets: sockets(minute), calm: number % 6 === 0 };
  });
}

describe("memory and connections", () => {
  test("a heap that is swept now and then is flat, however high its teeth are", () => {
    const flat = judgeFlat(life(20, (minute) => 100 + ((minute * 12) % 7) * 5));
    expect(flat).toMatchObject({ memoryFlat: true, connectionsFlat: true, rssFrom: 100, minutes: 16.9 });
  });

  test("one that has grown by its working size at the start is flat", () => {
    expect(judgeFlat(life(20, (minute) => 100 + Math.min(40, minute * 20)))?.memoryFlat).toBe(true);
  });

  test("a leak below the teeth is seen", () => {
    const flat = judgeFlat(life(20, (minute) => 100 + minute + ((minute * 12) % 7) * 5));
    expect(flat?.memoryFlat).toBe(false);
    expect(flat?.rssPerHour).toBeGreaterThan(50);
  });

  test("connections that are never closed are seen, and ones that are open during a fault are not counted", () => {
    expect(
      judgeFlat(
        life(
          20,
          () => 100,
          (minute) => 20 + Math.floor(minute / 2),
        ),
      )?.connectionsFlat,
    ).toBe(false);
    const busy = life(20, () => 100).map((one) => (one.calm ? one : { ...one, sockets: 60 }));
    expect(judgeFlat(busy)?.connectionsFlat).toBe(true);
  });

  test("a short life says nothing", () => {
    expect(judgeFlat(life(6, (minute) => 100 * minute))).toBeUndefined();
  });
});

describe("the invariants of an episode", () => {
  const MEASURED: Measured = {
    kind: "one Deployment",
    acked: 10_000,
    lost: 0,
    rate: 100,
    gapMs: 120,
    errors: {},
    addresses: 1,
    writable: {},
    convergedMs: 500,
    missing: undefined,
    struck: [],
  };
  const struck = (...costs: Measured["struck"][number]["cost"][]): Measured["struck"] =>
    costs.map((cost) => ({ at: 0, what: "", group: "", cost }));
  const judged = (change: Partial<Measured>): GroupVerdict => judgeGroup({ ...MEASURED, ...change });

  test("nothing may be lost by planned work", () => {
    expect(judged({ lost: 1, struck: struck("none", "late") })).toMatchObject({ allowedLoss: 0, inv2: false });
  });

  test("each death allows what was not sent, more where packets were late; each isolation the time until writes stop", () => {
    expect(judged({ lost: 10, struck: struck("death", "death") })).toMatchObject({ allowedLoss: 10, inv2: true });
    expect(judged({ struck: struck("death", "late") }).allowedLoss).toBe(200);
    expect(judged({ struck: struck("isolated") }).allowedLoss).toBe(FENCE_MS / 10);
  });

  test("two that take writes for longer than the fence's window, two addresses, and a group that is not whole", () => {
    const writable = { a: [{ from: 0, to: 20_000 }], b: [{ from: 5000, to: 30_000 }] };
    expect(judged({ writable })).toMatchObject({ inv1: false, twoWritableMs: 15_000 });
    expect(judged({ addresses: 2 }).inv1).toBe(false);
    expect(judged({ writable: { a: [{ from: 0, to: 9000 }] } }).inv1).toBe(true);
    expect(judged({ writable: { a: [] } }).inv1).toBe(false);
    expect(judged({ convergedMs: undefined, missing: "2 masters" }).inv3).toBe(false);
  });

  test("overlaps are not summed", () => {
    const one = [
      { from: 0, to: 1000 },
      { from: 5000, to: 8000 },
    ];
    expect(longestOverlapMs([one, [{ from: 500, to: 7000 }]])).toBe(2000);
    expect(longestOverlapMs([one, [{ from: 1000, to: 5000 }]])).toBe(0);
    expect(longestOverlapMs([one])).toBe(0);
  });
});

test.each(KINDS)("a node never holds two redis of the group: $name", (kind) => {
  const text = manifestsOf(kind, "docker.io/library/redis:7");
  expect(text).toContain('"redis-ha.io/cluster":"cache"');
  expect(text.match(/requiredDuringScheduling/g)?.length).toBe(kind.name === "three Deployments" ? 3 : 1);
  expect(text).not.toContain("store");
});
