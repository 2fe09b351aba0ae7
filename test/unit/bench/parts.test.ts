import { expect, test } from "vitest";
import { partMeans } from "../../../bench/failover/results.ts";
import type { Sample } from "../../../bench/failover/run.ts";

const sample = (gapMs: number, gapToMs: number, steps: Readonly<Record<string, number>>): Sample =>
  ({ gapMs, gapToMs, steps: Object.entries(steps).map(([step, ms]) => ({ step, ms })) }) as unknown as Sample;

test("the parts of a gap add up to it, also where a run lacks a step or a step came after the first write", () => {
  const samples = [
    sample(100, 120, { begun: 10, promoted: 60, patched: 80, attached: 300 }),
    sample(60, 90, { begun: 50, patched: 95 }),
  ];
  const parts = partMeans(samples);
  expect(parts).toEqual([
    { step: "begun", ms: (-10 + 20) / 2 },
    { step: "promoted", ms: 50 / 2 },
    { step: "patched", ms: 20 / 2 },
    { step: "first write", ms: (40 + 40) / 2 },
  ]);
  expect(parts.reduce((sum, { ms }) => sum + ms, 0)).toBe((100 + 60) / 2);
});
