/** Which invariants held for one group in one episode. Pure. */
import { DEATH_MS, FENCE_MS, oneSeen } from "../matrix/judge.ts";
import type { Span } from "../matrix/spans.ts";
import type { Cost } from "./fault.ts";

export interface Struck {
  /** ms since 1970 */
  readonly at: number;
  readonly what: string;
  /** the kind of the group; "": all of them */
  readonly group: string;
  readonly cost: Cost;
}

export interface Measured {
  readonly kind: string;
  readonly acked: number;
  readonly lost: number;
  /** acknowledged writes per second in calm times */
  readonly rate: number;
  readonly gapMs: number;
  readonly errors: Readonly<Record<string, number>>;
  /** the most addresses of the master Service at once */
  readonly addresses: number;
  /** who took writes when, ms */
  readonly writable: Readonly<Record<string, readonly Span[]>>;
  readonly convergedMs: number | undefined;
  readonly missing: string | undefined;
  /** the faults that struck this group */
  readonly struck: readonly Struck[];
}

export interface GroupVerdict extends Omit<Measured, "struck" | "writable"> {
  readonly allowedLoss: number;
  /** the longest time in which two took writes at once, ms */
  readonly twoWritableMs: number;
  readonly inv1: boolean;
  readonly inv2: boolean;
  readonly inv3: boolean;
}

/** What a dying master had not sent while its packets were lost or late, ms. */
const LATE_MS = 2000;

export function judgeGroup({ struck, writable, ...measured }: Measured): GroupVerdict {
  const count = (cost: Cost): number => struck.filter((one) => one.cost === cost).length;
  const death = count("late") > 0 ? LATE_MS : DEATH_MS;
  const windowMs = count("death") * death + count("isolated") * FENCE_MS;
  const allowedLoss = Math.ceil((measured.rate * windowMs) / 1000);
  const twoWritableMs = longestOverlapMs(Object.values(writable));
  return {
    ...measured,
    allowedLoss,
    twoWritableMs,
    inv1: oneSeen({ ...measured, writable }) && twoWritableMs <= FENCE_MS,
    inv2: measured.lost <= allowedLoss,
    inv3: measured.convergedMs !== undefined,
  };
}

/** The longest time for which two or more of the lists were on without a break. */
export function longestOverlapMs(lists: readonly (readonly Span[])[]): number {
  const edges = lists.flatMap((spans) => spans.flatMap(({ from, to }) => [edge(from, 1), edge(to, -1)]));
  edges.sort((one, other) => one.at - other.at || one.step - other.step);
  let on = 0;
  let since: number | undefined;
  let longest = 0;
  for (const { at, step } of edges) {
    on += step;
    if (on >= 2) since ??= at;
    else if (since !== undefined) {
      longest = Math.max(longest, at - since);
      since = undefined;
    }
  }
  return longest;
}

const edge = (at: number, step: 1 | -1): { at: number; step: 1 | -1 } => ({ at, step });
