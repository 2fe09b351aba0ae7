import { expect, test } from "vitest";
import type { MatrixFault } from "../../../bench/matrix/fault.ts";
import type { MatrixSample } from "../../../bench/matrix/run.ts";
import { matrix } from "../../../bench/matrix/table.ts";

const fault = (what: string, varies: boolean): MatrixFault => ({ what, allowed: "none", varies, act: async () => undefined });

const sample = (name: string, convergedMs: number | undefined, notes: readonly string[]): MatrixSample => ({
  fault: name,
  load: 1,
  gapMs: 100,
  gapFromMs: 0,
  stallMs: 0,
  errors: {},
  firstErrors: [],
  acked: 1000,
  lost: 0,
  convergedMs,
  missing: undefined,
  from: "a",
  to: "b",
  notes,
  steps: [],
  twoWritableMs: 0,
  addresses: 1,
  writable: {},
  inv1: true,
  inv2: true,
  inv3: true,
  allowedLoss: 0,
});

test("runs that differ tell what was struck; the worst of more than one is told, too", () => {
  const samples = [
    sample("each", 500, ["killed at: paused"]),
    sample("each", 2500, ["killed at: voted"]),
    sample("each", 900, ["killed at: paused"]),
    sample("plain", 700, ["somebody"]),
    sample("late", undefined, []),
  ];
  const faults = { each: fault("each step", true), plain: fault("a kill", false), late: fault("a late one", false) };
  const text = matrix({ about: { commit: "abc1234" }, samples, failures: [] }, faults);
  expect(text).toContain("commit abc1234.");
  expect(text).toContain("- each step: killed at: paused (2 times), killed at: voted");
  expect(text).not.toContain("somebody");
  expect(text).toMatch(/each step .*\| 900 ms, worst 2500 ms \|/);
  expect(text).toMatch(/a kill .*\| 700 ms +\|/);
  expect(text).toMatch(/a late one .*\| 1 × not in 60 s +\|/);
});
