/** What the demo prints: for people first, with colour only on a terminal. */
import { env, stdout } from "node:process";

const colours = stdout.isTTY && env.NO_COLOR === undefined;
const paint =
  (code: number) =>
  (text: string): string =>
    colours ? `\u001b[${code}m${text}\u001b[0m` : text;

export const bold = paint(1);
export const dim = paint(2);
export const green = paint(32);
export const red = paint(31);

const TIME_WIDTH = 9;

export function headline(text: string): void {
  stdout.write(`\n${bold(text)}\n`);
}

export function line(text: string): void {
  stdout.write(`  ${text}\n`);
}

export interface Moment {
  /** ms since the fault */
  readonly ms: number;
  readonly text: string;
  readonly strong?: boolean;
}

/** Moments in the order of time, each with its ms. */
export function timeline(moments: readonly Moment[]): void {
  for (const { ms, text, strong } of [...moments].sort((one, other) => one.ms - other.ms)) {
    line(`${dim(`${Math.round(ms)} ms`.padStart(TIME_WIDTH))}  ${strong === true ? bold(text) : text}`);
  }
}
