/** docs/clients from the results: one page for each client, and the table of all. What is between the markers is written here, the rest by people. */
import { existsSync } from "node:fs";
import { extname, join } from "node:path";
import { circumstances, replaceBetween, table } from "../../bench/markdown.ts";
import { CONFIGS, type Config, known, PROGRAMS, settingsOf, versionOf } from "./programs.ts";
import { type Results, samplesOf } from "./results.ts";
import type { Sample } from "./trial.ts";

const FOLDER = join(import.meta.dirname, "..", "..", "docs", "clients");
const FENCES: Readonly<Record<string, string>> = { ".mjs": "js", ".py": "python", ".go": "go", ".java": "java", ".rs": "rust" };

const begin = (what: string): string => `<!-- ${what}: npm run clients -- --docs --json bench/clients/results.json -->`;
const end = (what: string): string => `<!-- end of ${what} -->`;

/** The faults in the order of the page, with their names for readers. */
export const FAULT_TITLES: Readonly<Record<string, string>> = {
  kill9: "kill -9 of the master",
  handover: "hand-over",
  rollout: "rollout restart",
  partition: "master's node cut off 30 s",
};

/** Writes the tables and settings between the markers of all pages that exist. */
export function writeDocs(results: Results): void {
  for (const name of Object.keys(PROGRAMS)) {
    const file = join(FOLDER, `${name}.md`);
    if (!existsSync(file)) throw new Error(`${file} is missing`);
    fill(file, { settings: settingsBlock(name), measured: `${clientTable(results, name)}\n\n${circumstancesOf(results)}` });
  }
  fill(join(FOLDER, "README.md"), { measured: `${indexTable(results)}\n\n${circumstancesOf(results)}` });
}

function fill(file: string, parts: Readonly<Record<string, string>>): void {
  for (const [what, content] of Object.entries(parts)) replaceBetween(file, [begin(what), end(what)], content);
}

/** The recommended settings as code, from the very program that was measured. */
export function settingsBlock(name: string): string {
  const { title, source } = known(name);
  return `${title} ${versionOf(name)}:\n\n\`\`\`${FENCES[extname(source)] ?? ""}\n${settingsOf(name)}\n\`\`\``;
}

const HEAD = [
  "fault",
  "settings",
  "n",
  "gap",
  "worst writer",
  "longest call",
  "errors the application saw",
  "writes to a replica",
  "stuck writers",
  "lost",
];

function clientTable(results: Results, name: string): string {
  const rows = Object.entries(FAULT_TITLES).flatMap(([fault, title]) =>
    CONFIGS.flatMap((config) => {
      const samples = samplesOf(results, name, config, fault);
      if (samples.length === 0) return [];
      return [[title, config, String(samples.length), ...numbers(samples), errorsOf(samples), ...counts(samples)]];
    }),
  );
  return rows.length === 0 ? "Not measured yet." : table(HEAD, rows);
}

function numbers(samples: readonly Sample[]): string[] {
  return [range(samples.map(({ gapMs }) => gapMs)), worst(samples, "worstWriterMs"), worst(samples, "longestCallMs")];
}

function counts(samples: readonly Sample[]): string[] {
  const total = (of: (one: Sample) => number): string => String(samples.reduce((sum, one) => sum + of(one), 0));
  const known_ = samples.every(({ lost }) => lost !== undefined);
  return [
    total(({ toReplica }) => toReplica),
    total(({ stuckWriters }) => stuckWriters),
    known_ ? `${total(({ lost }) => lost ?? 0)} of ${total(({ acked }) => acked)}` : "–",
  ];
}

/** The index: gap and stuck writers of each fault, both configurations in a cell. */
function indexTable(results: Results): string {
  const faults = Object.entries(FAULT_TITLES);
  const rows = Object.entries(PROGRAMS).map(([name, { title, connections }]) => [
    `[${title}](${name}.md) ${versionOf(name)}`,
    connections,
    ...faults.map(([fault]) => both(results, name, fault)),
  ]);
  return table(["client", "connections", ...faults.map(([, title]) => title)], rows);
}

function both(results: Results, name: string, fault: string): string {
  const measured = CONFIGS.some((config) => samplesOf(results, name, config, fault).length > 0);
  return measured ? CONFIGS.map((config) => cell(results, name, config, fault)).join(" → ") : "not measured yet";
}

function cell(results: Results, name: string, config: Config, fault: string): string {
  const samples = samplesOf(results, name, config, fault);
  if (samples.length === 0) return "–";
  if (samples.some(({ stuckWriters }) => stuckWriters > 0)) return "**stuck**";
  const total = samples.reduce((sum, { errors }) => sum + Object.values(errors).reduce((a, b) => a + b, 0), 0);
  const errors = total === 0 ? "no error" : total === 1 ? "1 error" : `${total} errors`;
  return `${seconds(Math.max(...samples.map(({ worstWriterMs }) => worstWriterMs)))}, ${errors}`;
}

function errorsOf(samples: readonly Sample[]): string {
  const sums: Record<string, number> = {};
  for (const { errors } of samples) for (const [kind, count] of Object.entries(errors)) sums[kind] = (sums[kind] ?? 0) + count;
  const parts = Object.entries(sums).map(([kind, count]) => `${count} × ${kind}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

function circumstancesOf({ about, trials }: Results): string {
  const stall = Math.max(0, ...trials.map(({ stallMs }) => stallMs));
  return `${circumstances(about)} The measuring process itself stood still for up to ${stall} ms.`;
}

function range(values: readonly number[]): string {
  const [low, high] = [Math.min(...values), Math.max(...values)].map(seconds);
  return low === high ? `${high}` : `${low} – ${high}`;
}

function worst(samples: readonly Sample[], key: "worstWriterMs" | "longestCallMs"): string {
  return seconds(Math.max(...samples.map((one) => one[key])));
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
