/** The matrix as a Markdown table. */
import { quantile } from "../failover/results.ts";
import { circumstances, replaceBetween, table } from "../markdown.ts";
import type { MatrixFault } from "./fault.ts";
import type { MatrixSample } from "./run.ts";

export interface MatrixResults {
  readonly about: Readonly<Record<string, string | number>>;
  readonly samples: MatrixSample[];
  readonly failures: { fault: string; error: string }[];
}

const BEGIN = "<!-- results: npm run matrix -- --json FILE --table THIS -->";
const END = "<!-- end of results -->";
const HEAD = [
  "fault",
  "n",
  "gap p50",
  "p99",
  "worst",
  "errors p50",
  "lost",
  "may lose",
  "two writable",
  "whole after",
  "INV1 2 3",
  "load",
];

/** Replaces what is between the markers of a file. */
export function writeMatrix(file: string, results: MatrixResults, faults: Readonly<Record<string, MatrixFault>>): void {
  replaceBetween(file, [BEGIN, END], matrix(results, faults));
}

export function matrix(results: MatrixResults, faults: Readonly<Record<string, MatrixFault>>): string {
  const rows = Object.entries(faults).flatMap(([name, { what }]) => {
    const samples = results.samples.filter(({ fault }) => fault === name);
    return samples.length === 0 ? [] : [[what, ...cells(samples)]];
  });
  const failed = results.failures.map(({ fault, error }) => `- ${fault}: ${error}`);
  const parts = [circumstances(results.about), table(HEAD, rows)];
  const struck = Object.entries(faults).flatMap(([name, { what, varies }]) => {
    const samples = results.samples.filter(({ fault }) => fault === name);
    return varies === true && samples.length > 0 ? [`- ${what}: ${told(samples)}`] : [];
  });
  if (struck.length > 0) parts.push(`What was struck where the runs differ:\n\n${struck.join("\n")}`);
  if (failed.length > 0) parts.push(`Runs that did not come to their end:\n\n${failed.join("\n")}`);
  return parts.join("\n\n");
}

/** What the runs note, each with its number where it is more than one. */
function told(samples: readonly MatrixSample[]): string {
  const counts = new Map<string, number>();
  for (const note of samples.flatMap(({ notes }) => notes)) counts.set(note, (counts.get(note) ?? 0) + 1);
  const parts = [...counts].map(([note, count]) => (count === 1 ? note : `${note} (${count} times)`));
  return parts.length === 0 ? "not noted" : parts.join(", ");
}

function cells(samples: readonly MatrixSample[]): string[] {
  const of = (pick: (one: MatrixSample) => number): number[] => samples.map(pick);
  const gaps = of(({ gapMs }) => gapMs);
  const errors = of((one) => Object.values(one.errors).reduce((sum, count) => sum + count, 0));
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const late = samples.filter(({ convergedMs }) => convergedMs === undefined).length;
  const whole = samples.flatMap(({ convergedMs }) => (convergedMs === undefined ? [] : [convergedMs]));
  const held = (pick: (one: MatrixSample) => boolean): string => {
    const broken = samples.filter((one) => !pick(one)).length;
    return broken === 0 ? "✓" : `✗${broken}`;
  };
  return [
    String(samples.length),
    ...[quantile(gaps, 0.5), quantile(gaps, 0.99), Math.max(...gaps)].map(ms),
    String(quantile(errors, 0.5)),
    `${sum(of(({ lost }) => lost))} of ${sum(of(({ acked }) => acked))}`,
    String(sum(of(({ allowedLoss }) => allowedLoss))),
    ms(Math.max(...of(({ twoWritableMs }) => twoWritableMs))),
    late === 0 ? p50AndWorst(whole) : `${late} × not in 60 s`,
    [held(({ inv1 }) => inv1), held(({ inv2 }) => inv2), held(({ inv3 }) => inv3)].join(" "),
    String(
      Math.round(
        quantile(
          of(({ load }) => load),
          0.5,
        ),
      ),
    ),
  ];
}

const p50AndWorst = (values: readonly number[]): string => {
  const p50 = ms(quantile(values, 0.5));
  return values.length > 1 ? `${p50}, worst ${ms(Math.max(...values))}` : p50;
};

const ms = (value: number): string => (value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`);
