/** The results as Markdown, written between two markers of a file. */
import { circumstances, replaceBetween, table } from "../markdown.ts";
import { FAULTS } from "./faults.ts";
import { forcedText } from "./forced.ts";
import { partMeans, quantile, type Results, routingTimes, samplesOf, stepMedians, summarize } from "./results.ts";
import type { Subject } from "./stack.ts";

const BEGIN = "<!-- results: npm run bench:failover -- --json FILE --table THIS -->";
const END = "<!-- end of results -->";
const NAMES: Readonly<Record<Subject, string>> = { ours: "redis-ha", sentinel: "bare Sentinel", haproxy: "haproxy in front" };

/** Replaces what is between the markers. */
export function writeTable(file: string, results: Results): void {
  replaceBetween(file, [BEGIN, END], tables(results));
}

/** All tables of the results. */
export function tables(results: Results): string {
  const parts = [circumstances(results.about), gapTable(results), stepTable(results), partTable(results)];
  const routing = routingTimes(results.samples.filter(({ subject }) => subject === "ours"));
  if (routing.length > 0) {
    parts.push(
      `From the sentinels' agreement to the Service's new endpoint: p50 ${ms(quantile(routing, 0.5))}, p99 ${ms(quantile(routing, 0.99))} (n = ${routing.length}).`,
    );
  }
  if (results.forced !== undefined) parts.push(`${forcedText(results.forced)}.`);
  if (results.failures.length > 0) {
    const failed = results.failures.map(({ stack, fault, error }) => `- ${fault}, ${stack}: ${error}`);
    parts.push(`Runs that did not come to their end:\n\n${failed.join("\n")}`);
  }
  return parts.filter((part) => part !== "").join("\n\n");
}

const HEAD = ["fault", "who", "n", "gap p50", "p99", "worst", "p50 against ours", "lost acknowledged writes", "whole again p50"];

function gapTable(results: Results): string {
  const rows = Object.entries(FAULTS).flatMap(([fault, { what }]) => {
    const ours = summarize(samplesOf(results, fault, "ours"));
    return (Object.keys(NAMES) as Subject[]).flatMap((subject) => {
      const one = summarize(samplesOf(results, fault, subject));
      if (one === undefined) return [];
      const ratio = ours === undefined || subject === "ours" ? "" : `× ${(one.p50 / ours.p50).toFixed(1)}`;
      const lost = one.lost === 0 ? `0 of ${one.acked}` : `${one.lost} of ${one.acked}, in ${one.lostRuns} runs`;
      const gaps = [one.p50, one.p99, one.worst].map(ms);
      return [[what, NAMES[subject], String(one.n), ...gaps, ratio, lost, ms(one.wholeP50)]];
    });
  });
  return table(HEAD, rows);
}

function stepTable(results: Results): string {
  const rows = Object.entries(FAULTS).flatMap(([fault, { what }]) => {
    const samples = samplesOf(results, fault, "ours");
    const steps = stepMedians(samples);
    if (steps.length === 0) return [];
    const ends = quantile(
      samples.map(({ gapToMs }) => gapToMs),
      0.5,
    );
    return [[what, ...[steps.map(({ step, ms: at }) => `${step} ${Math.round(at)}`).join(" · ")], String(Math.round(ends))]];
  });
  if (rows.length === 0) return "";
  const head = ["fault", "steps, ms since the fault was made (medians)", "first write acknowledged"];
  return `Where the milliseconds go:\n\n${table(head, rows)}`;
}

function partTable(results: Results): string {
  const rows = Object.entries(FAULTS).flatMap(([fault, { what }]) => {
    const samples = samplesOf(results, fault, "ours");
    if (samples.length === 0) return [];
    const parts = partMeans(samples);
    const told = parts.map(({ step, ms: part }) => `${step} ${Math.round(part)}`);
    return [[what, told.join(" + "), ms(parts.reduce((sum, part) => sum + part.ms, 0))]];
  });
  if (rows.length === 0) return "";
  const head = [
    "fault",
    "parts of the gap, ms: each step from the one before, the first from the last acknowledged write",
    "mean gap",
  ];
  return `The same as parts that add up to the gap (means):\n\n${table(head, rows)}`;
}

const ms = (value: number): string => `${Math.round(value)} ms`;
