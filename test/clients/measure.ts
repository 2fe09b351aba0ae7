/** From a program's lines to what its application went through during one fault. Pure. */
import { type Ack, type Failure, isAck, isFailure, type Line } from "./contract.ts";

export interface Measured {
  /** acknowledged writes, the whole run */
  readonly acked: number;
  /** the longest time without an acknowledged write of any writer, ms, from the fault on */
  readonly gapMs: number;
  /** the same of the one writer that suffered most: tells of single connections that were stuck */
  readonly worstWriterMs: number;
  /** the longest single call, ms: how long an application's thread was held */
  readonly longestCallMs: number;
  /** writers that never wrote again before the end */
  readonly stuckWriters: number;
  /** errors that the application saw, from the fault on, by their kind */
  readonly errors: Readonly<Record<string, number>>;
  /** one text for each kind */
  readonly texts: Readonly<Record<string, string>>;
  /** writes that reached a replica, as far as the application saw them */
  readonly toReplica: number;
  /** new connections from the fault on, where the library tells */
  readonly connections: number | undefined;
}

export interface During {
  readonly faultAtMs: number;
  readonly endMs: number;
  readonly writers: number;
  /** a writer without an acknowledged write in the last so many ms is stuck */
  readonly stuckAfterMs: number;
}

/** What an error of a write to a replica says, whatever the library makes of its first word. */
const TO_REPLICA = /READONLY|read only replica/;

/** `stamps[i]` is when line i was read, ms: only for lines without a time of their own. */
export function measure(lines: readonly Line[], stamps: readonly number[], during: During): Measured {
  const acks = lines.filter(isAck);
  const failures = lines.filter(isFailure).filter(({ to }) => to >= during.faultAtMs);
  const own = Array.from({ length: during.writers }, (_, writer) => acks.filter((ack) => ack.writer === writer));
  const last = own.map((some) => some.at(-1)?.to ?? 0);
  const connected = lines
    .map((line, at) => ("connected" in line ? (stamps[at] ?? 0) : undefined))
    .filter((at) => at !== undefined);
  return {
    acked: acks.length,
    gapMs: gap(acks, during),
    worstWriterMs: Math.max(...own.map((some) => gap(some, during))),
    longestCallMs: longestCall(acks, failures, during),
    stuckWriters: last.filter((at) => at < during.endMs - during.stuckAfterMs).length,
    errors: count(failures),
    texts: Object.fromEntries(failures.map(({ error, text }) => [error, text])),
    toReplica: failures.filter(({ error, text }) => TO_REPLICA.test(`${error} ${text}`)).length,
    connections: connected.length === 0 ? undefined : connected.filter((at) => at >= during.faultAtMs).length,
  };
}

/** The longest time without an acknowledgement, ms; one that the fault cut short begins before it, one at the end counts as far as it was seen. */
function gap(acks: readonly Ack[], { faultAtMs, endMs }: During): number {
  const times = acks.map(({ to }) => to).sort((a, b) => a - b);
  const before = times.filter((at) => at < faultAtMs).at(-1) ?? faultAtMs;
  let longest = 0;
  let previous = before;
  for (const at of [...times.filter((time) => time >= faultAtMs && time < endMs), endMs]) {
    longest = Math.max(longest, at - previous);
    previous = at;
  }
  return round(longest);
}

function longestCall(acks: readonly Ack[], failures: readonly Failure[], { faultAtMs }: During): number {
  const calls = [...acks.filter(({ to }) => to >= faultAtMs), ...failures];
  return round(calls.reduce((longest, { from, to }) => Math.max(longest, to - from), 0));
}

function count(failures: readonly Failure[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { error } of failures) found[error] = (found[error] ?? 0) + 1;
  return found;
}

const round = (ms: number): number => Math.round(ms * 10) / 10;
