import { expect, test } from "vitest";
import { CONVERGED_MS, DEAF_MS, FENCE_MS, FENCE_REPLICATED_MS, judge, type Measured } from "../../../bench/matrix/judge.ts";

const GOOD: Measured = {
  acked: 9000,
  lost: 0,
  rate: 1000,
  twoWritableMs: 0,
  addresses: 1,
  writable: { "cache-0": [{ from: 0, to: 9000 }], "cache-1": [] },
  convergedMs: 3000,
};

test("a good run", () => {
  expect(judge(GOOD, "none")).toEqual({ inv1: true, inv2: true, inv3: true, allowedLoss: 0 });
});

test("INV1: two addresses of the Service, or two writable nodes for longer than the fence allows", () => {
  expect(judge({ ...GOOD, addresses: 2 }, "none").inv1).toBe(false);
  expect(judge({ ...GOOD, twoWritableMs: FENCE_MS }, "none").inv1).toBe(true);
  expect(judge({ ...GOOD, twoWritableMs: FENCE_MS + 1 }, "none").inv1).toBe(false);
});

test("INV1: not by a witness that saw nothing", () => {
  expect(judge({ ...GOOD, addresses: 0 }, "none").inv1).toBe(false);
  expect(judge({ ...GOOD, writable: {} }, "none").inv1).toBe(false);
  expect(judge({ ...GOOD, writable: { "cache-0": [] } }, "none").inv1).toBe(false);
});

test("durable: the fence is tighter, and nothing may be lost by any fault", () => {
  expect(judge({ ...GOOD, twoWritableMs: FENCE_REPLICATED_MS }, "isolated", true).inv1).toBe(true);
  expect(judge({ ...GOOD, twoWritableMs: FENCE_REPLICATED_MS + 1 }, "isolated", true).inv1).toBe(false);
  expect(judge({ ...GOOD, lost: 1 }, "isolated", true)).toMatchObject({ inv2: false, allowedLoss: 0 });
});

test("INV2: one lost write is one too many, except where the master died or was cut off", () => {
  expect(judge({ ...GOOD, lost: 1 }, "none").inv2).toBe(false);
  expect(judge({ ...GOOD, lost: 50 }, "death").inv2).toBe(true);
  expect(judge({ ...GOOD, lost: 51 }, "death").inv2).toBe(false);
  expect(judge({ ...GOOD, lost: FENCE_MS }, "isolated").inv2).toBe(true);
  expect(judge({ ...GOOD, lost: FENCE_MS + 1 }, "isolated").inv2).toBe(false);
  expect(judge({ ...GOOD, lost: DEAF_MS }, "deaf").inv2).toBe(true);
  expect(judge({ ...GOOD, lost: DEAF_MS + 1 }, "deaf").inv2).toBe(false);
});

test("INV3: whole in time", () => {
  expect(judge({ ...GOOD, convergedMs: CONVERGED_MS + 1 }, "none").inv3).toBe(false);
  expect(judge({ ...GOOD, convergedMs: undefined }, "none").inv3).toBe(false);
});
