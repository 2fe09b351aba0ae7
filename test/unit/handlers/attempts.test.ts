import { describe, expect, test } from "vitest";
import { nextTryAfterMs, wayOf } from "../../../handlers/policies/attempts.ts";

const TIMES = { downAfterMs: 5000, failoverTimeoutMs: 10_000 };
const DIRECT = { ...TIMES, promotion: "direct" as const };
const BY_SENTINEL = { ...TIMES, promotion: "sentinel" as const };
const ways = (settings: typeof DIRECT | typeof BY_SENTINEL): string[] =>
  [0, 1, 2, 3, 4, 5].map((tried) => wayOf(tried, settings));

describe("tries of a failover", () => {
  test("ours twice, then Sentinel's command twice, then from the beginning", () => {
    expect(ways(DIRECT)).toEqual(["votes", "votes", "ask", "ask", "votes", "votes"]);
  });

  test("by annotation only Sentinel's command", () => {
    expect(ways(BY_SENTINEL)).toEqual(["ask", "ask", "ask", "ask", "ask", "ask"]);
  });

  test("after the last one Sentinel has the time that its own failover needs: the votes that we won must have expired", () => {
    expect([1, 2, 3].map((tried) => nextTryAfterMs(tried, DIRECT))).toEqual([150, 150, 3000]);
    for (const settings of [DIRECT, BY_SENTINEL])
      expect(nextTryAfterMs(4, settings)).toBeGreaterThanOrEqual(settings.downAfterMs + 2 * settings.failoverTimeoutMs);
  });
});
