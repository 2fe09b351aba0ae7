/** The file of results: written after every run, so that an interrupted benchmark loses nothing; and what is computed of it. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { withCommit } from "../../test/e2e/lib/commit.ts";
import type { ForcedResult } from "./forced.ts";
import type { Sample } from "./run.ts";
import type { Subject } from "./stack.ts";

export interface Failure {
  readonly stack: string;
  readonly fault: string;
  readonly error: string;
}

export interface Results {
  /** when, and on what */
  readonly about: Readonly<Record<string, string | number>>;
  readonly samples: Sample[];
  /** runs that did not come to their end */
  readonly failures: Failure[];
  forced?: ForcedResult;
}

/** Reads results; throws where there are none. */
export function readResults(file: string): Results {
  return JSON.parse(readFileSync(file, "utf8")) as Results;
}

/** The results that more runs are added to; new ones where there is no file. */
export function continued(file: string | undefined, about: Results["about"]): Results {
  if (file === undefined || !existsSync(file)) return { about, samples: [], failures: [] };
  const before = readResults(file);
  return { ...before, about: withCommit(before.about) };
}

/** Replaces the file as a whole. */
export function writeResults(file: string | undefined, results: Results): void {
  if (file === undefined) return;
  writeFileSync(`${file}.new`, `${JSON.stringify(results, null, 1)}\n`);
  renameSync(`${file}.new`, file);
}

/** The value below which a share `q` of the values lies (nearest rank); NaN for none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

export interface Summary {
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  readonly lost: number;
  readonly lostRuns: number;
  readonly acked: number;
  readonly wholeP50: number;
}

export function samplesOf(results: Results, fault: string, subject: Subject): Sample[] {
  return results.samples.filter((one) => one.fault === fault && one.subject === subject);
}

/** Undefined where there is no sample. */
export function summarize(samples: readonly Sample[]): Summary | undefined {
  if (samples.length === 0) return undefined;
  const gaps = samples.map(({ gapMs }) => gapMs);
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return {
    n: samples.length,
    p50: quantile(gaps, 0.5),
    p99: quantile(gaps, 0.99),
    worst: Math.max(...gaps),
    lost: sum(samples.map(({ lost }) => lost)),
    lostRuns: samples.filter(({ lost }) => lost > 0).length,
    acked: sum(samples.map(({ acked }) => acked)),
    wholeP50: quantile(
      samples.map(({ wholeMs }) => wholeMs),
      0.5,
    ),
  };
}

/** The median time of each step of a fault's runs, ms since the fault, in the order of their medians. */
export function stepMedians(samples: readonly Sample[]): { step: string; ms: number; n: number }[] {
  const times = new Map<string, number[]>();
  for (const { steps } of samples) for (const { step, ms } of steps) times.set(step, [...(times.get(step) ?? []), ms]);
  return [...times].map(([step, all]) => ({ step, ms: quantile(all, 0.5), n: all.length })).sort((a, b) => a.ms - b.ms);
}

/** From the sentinels' agreement to the Service's new endpoint, ms, of each run that has both steps. */
export function routingTimes(samples: readonly Sample[]): number[] {
  return samples.flatMap(({ steps }) => {
    const at = (...names: string[]): number | undefined => steps.find(({ step }) => names.includes(step))?.ms;
    const agreed = at("agreed");
    const routed = at("endpoint", "routed");
    return agreed === undefined || routed === undefined ? [] : [Math.round((routed - agreed) * 10) / 10];
  });
}

/** What comes last of a gap: the clients' way back. */
const FIRST_WRITE = "first write";

/**
 * The parts of the gap, means in ms over all runs, in the order of time: each step's from the step before it, the first one's from the last acknowledged write
 * before the gap (negative where it came before that), the last one's until a write was acknowledged again. Together they are the mean gap.
 */
export function partMeans(samples: readonly Sample[]): { step: string; ms: number }[] {
  const sums = new Map<string, number>();
  const add = (step: string, ms: number): void => void sums.set(step, (sums.get(step) ?? 0) + ms);
  for (const { steps, gapMs, gapToMs } of samples) {
    let last = gapToMs - gapMs;
    for (const { step, ms } of steps.filter(({ ms }) => ms < gapToMs).sort((a, b) => a.ms - b.ms)) {
      add(step, ms - last);
      last = ms;
    }
    add(FIRST_WRITE, gapToMs - last);
  }
  const order = [...stepMedians(samples).map(({ step }) => step), FIRST_WRITE];
  return order.flatMap((step) => (sums.has(step) ? [{ step, ms: (sums.get(step) ?? 0) / samples.length }] : []));
}
