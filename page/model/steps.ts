/** The step chart of one change of master: each step as a bar that begins where the one before it ended. Pure. */
import type { Change } from "../wire.ts";

export interface StepBar {
  readonly step: string;
  /** ms since the start when it was reached, and how long it took */
  readonly at: number;
  readonly took: number;
  /** percent of the chart's width */
  readonly left: number;
  readonly width: number;
  /** it took the largest part */
  readonly longest: boolean;
}

export interface StepChart {
  readonly total: number;
  readonly bars: readonly StepBar[];
  readonly ticks: readonly { readonly ms: number; readonly left: number }[];
}

/** A step that takes no time is still to be seen, percent. */
const LEAST_WIDTH = 0.8;
const MOST_TICKS = 5;

/** What each step means, for those who do not know the code. */
const MEANING: Readonly<Record<string, string>> = {
  detected: "death was proven",
  voted: "a majority of the sentinels voted",
  promoted: "the new master takes writes",
  agreed: "the sentinels took the new master",
  patched: "the Service was moved",
  endpoint: "the new address is behind the Service",
  paused: "writes are paused",
  equal: "the successor has every write",
  demoted: "the old master follows the new one",
  routed: "new connections lead to the new master",
  cut: "old connections were cut",
  asked: "Sentinel was asked for the failover",
  attached: "the other replicas follow it",
};

export const meaningOf = (step: string): string => MEANING[step] ?? step;

export function chartOf({ steps }: Change): StepChart {
  const total = Math.max(0, ...steps.map(({ ms }) => ms));
  const percent = (ms: number): number => (total === 0 ? 0 : (ms / total) * 100);
  const tooks = steps.map(({ ms }, at) => Math.max(0, ms - (steps[at - 1]?.ms ?? 0)));
  const longest = tooks.indexOf(Math.max(...tooks));
  return {
    total,
    bars: steps.map(({ step, ms }, at) => {
      const took = tooks[at] ?? 0;
      const width = Math.max(LEAST_WIDTH, percent(took));
      return {
        step,
        at: ms,
        took: Math.round(took * 10) / 10,
        left: Math.min(percent(ms - took), 100 - width),
        width,
        longest: at === longest && took > 0,
      };
    }),
    ticks: ticksOf(total).map((ms) => ({ ms, left: percent(ms) })),
  };
}

/** Round numbers from 0 to the total: 1, 2 or 5 times a power of ten apart. */
function ticksOf(total: number): number[] {
  if (total <= 0) return [0];
  const power = 10 ** Math.floor(Math.log10(total / MOST_TICKS));
  const distance = [1, 2, 5, 10].map((factor) => factor * power).find((one) => total / one <= MOST_TICKS) ?? total;
  return Array.from({ length: Math.floor(total / distance) + 1 }, (_, at) => Math.round(at * distance * 1000) / 1000);
}
