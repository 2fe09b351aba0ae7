/** What all benchmarks write into their pages: tables, between two markers. */
import { readFileSync, writeFileSync } from "node:fs";

/** The formatter's least width of a column. */
const LEAST_WIDTH = 3;

/** A Markdown table whose columns are aligned, as the formatter wants it. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) => Math.max(LEAST_WIDTH, title.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string => `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** Replaces what stands between two markers of a file; throws when it has not both, in this order. */
export function replaceBetween(file: string, [begin, end]: readonly [string, string], content: string): void {
  const text = readFileSync(file, "utf8");
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file} needs the lines ${begin} and ${end}`);
  writeFileSync(file, `${text.slice(0, from + begin.length)}\n\n${content.trimEnd()}\n\n${text.slice(to)}`);
}

/** The circumstances of a measurement, in one line. */
export function circumstances(about: Readonly<Record<string, string | number>>): string {
  const parts = Object.entries(about).map(([key, value]) => `${key} ${value}`);
  return `${parts.join(", ")}.`;
}
