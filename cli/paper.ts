/** Text for people: colours only on a terminal, tables, times. All but the asking and the progress line is pure. */
import { env, stderr, stdin, stdout } from "node:process";
import { createInterface } from "node:readline/promises";

export interface Paper {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly red: (text: string) => string;
}

const paint =
  (code: number) =>
  (text: string): string =>
    text === "" ? text : `\u001b[${code}m${text}\u001b[0m`;
const same = (text: string): string => text;

/** Without colours: for pipes, files and tests. */
export const PLAIN: Paper = { bold: same, dim: same, green: same, yellow: same, red: same };
const COLOURED: Paper = { bold: paint(1), dim: paint(2), green: paint(32), yellow: paint(33), red: paint(31) };

/** What standard output can show (https://no-color.org). */
export const paperOf = (stream: { isTTY?: boolean } = stdout): Paper =>
  stream.isTTY === true && env.NO_COLOR === undefined && env.TERM !== "dumb" ? COLOURED : PLAIN;

// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are made of them
const ESCAPES = /\u001b\[\d+m/g;
const width = (text: string): number => text.replaceAll(ESCAPES, "").length;

/** Columns as wide as their widest cell, two spaces apart; no space at the end of a line. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, width(cell));
  return rows.map((row) =>
    row
      .map((cell, at) => cell + " ".repeat((widths[at] ?? 0) - width(cell)))
      .join("  ")
      .trimEnd(),
  );
}

/** `12 s`, `3 min`, `2 h`, `5 d`: how long something lasts, as exactly as a person wants to know. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** `12.3 ms`, `1.25 s` */
export const milliseconds = (ms: number): string =>
  ms < 1000 ? `${Math.round(ms * 10) / 10} ms` : `${(ms / 1000).toFixed(2)} s`;

/** `0 B`, `1.5 MiB` */
export function bytes(count: number): string {
  let value = count;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (Math.abs(value) < 1024 || unit === "GiB") return `${unit === "B" ? value : value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${count} B`;
}

export function print(lines: readonly string[] | string): void {
  const text = typeof lines === "string" ? lines : lines.join("\n");
  if (text !== "") stdout.write(`${text}\n`);
}

/** Asks on the terminal. Where nobody can answer it is a no, and the caller says which flag stands for yes. */
export async function confirm(question: string): Promise<boolean> {
  if (stdin.isTTY !== true) return false;
  const asking = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await asking.question(`${question} [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    asking.close();
  }
}

/** A wait that lasts says so on standard error after two seconds, and then every five. */
export async function progress<T>(what: string, work: Promise<T>): Promise<T> {
  const start = performance.now();
  let next = 2;
  const ticking = setInterval(() => {
    const seconds = Math.round((performance.now() - start) / 1000);
    if (seconds < next) return;
    next = seconds + 5;
    stderr.write(`  ${what} (${seconds} s)\n`);
  }, 500);
  try {
    return await work;
  } finally {
    clearInterval(ticking);
  }
}
