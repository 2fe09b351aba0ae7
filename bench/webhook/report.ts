/** What the benchmark found, as tables for people and as JSON. */
import { writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";

export interface Row {
  readonly server: string;
  readonly review: string;
  readonly bytes: number;
  readonly perSecond: number;
  /** CPU of the server process for each admission, of a flood */
  readonly cpuUs: number;
  /** what one core could do if it did nothing else: 1 / CPU per admission */
  readonly perCoreSecond: number;
  readonly patchBytes: number;
  /** the steady rate at which the delays were measured */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  /** of the round with the least noise */
  readonly quietestP99Ms: number;
  /** how much later than it wanted the load generator began a request: the machine's own noise */
  readonly generatorLateP99Ms: number;
}

export interface Memory {
  readonly server: string;
  readonly when: string;
  /** resident so far at most, MiB; with the pages of the program's file */
  readonly mostMiB: number;
  /** now resident and its own alone, which is what a container's limit counts in the end, MiB */
  readonly ownMiB: number;
}

export interface Report {
  readonly rows: readonly Row[];
  readonly parseUs: Readonly<Record<string, number>>;
  readonly startsMs: Readonly<Record<string, readonly number[]>>;
  readonly memory: readonly Memory[];
}

const COLUMNS: readonly (readonly [string, (row: Row, found: Report) => string])[] = [
  ["review", (row) => row.review],
  ["server", (row) => row.server],
  ["admissions/s", (row) => row.perSecond.toFixed(0)],
  ["CPU each, µs", (row) => row.cpuUs.toFixed(0)],
  ["per core and s", (row) => row.perCoreSecond.toFixed(0)],
  ["parse alone, µs", (row, { parseUs }) => (parseUs[row.review] ?? 0).toFixed(0)],
  ["at /s", (row) => row.rate.toFixed(0)],
  ["p50 ms", (row) => row.p50Ms.toFixed(2)],
  ["p99 ms", (row) => row.p99Ms.toFixed(2)],
  ["p99.9 ms", (row) => row.p999Ms.toFixed(2)],
  ["p99 of the quietest round", (row) => row.quietestP99Ms.toFixed(2)],
  ["generator late, p99 ms", (row) => row.generatorLateP99Ms.toFixed(2)],
];

export function report(found: Report, { typical, json }: { readonly typical: string; readonly json?: string }): void {
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}`;
  console.log(`${machine}\n`);
  table(
    COLUMNS.map(([title]) => title),
    found.rows.map((row) => COLUMNS.map(([, show]) => show(row, found))),
  );
  table(
    ["server", "when", "resident at most, MiB", "its own now, MiB"],
    found.memory.map(({ server, when, mostMiB, ownMiB }) => [server, when, mostMiB.toFixed(0), ownMiB.toFixed(0)]),
  );
  for (const [server, list] of Object.entries(found.startsMs)) {
    const sorted = list.toSorted((a, b) => a - b);
    const [least, median, most] = [0, Math.floor(list.length / 2), list.length - 1].map((place) => sorted[place]?.toFixed(0));
    console.log(`cold start to ready of ${server}: median ${median} ms (${least} to ${most})`);
  }
  const [ours, go] = found.rows.filter(({ review }) => review === typical);
  if (ours && go)
    console.log(`\nper core at ${typical}: ${(ours.perCoreSecond / go.perCoreSecond).toFixed(1)} times ${go.server}`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ machine, ...found }, null, 2)}\n`);
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): void {
  console.log(`| ${titles.join(" | ")} |\n|${"---|".repeat(titles.length)}`);
  for (const row of rows) console.log(`| ${row.join(" | ")} |`);
  console.log("");
}
