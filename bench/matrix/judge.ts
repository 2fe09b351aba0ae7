/** Which of the three invariants held in one run. Pure. */
import { DOWN_AFTER_DEFAULT_MS } from "../../model/annotation-table.ts";
import { maxLagDefaultS } from "../../model/settings.ts";
import type { Allowed } from "./fault.ts";
import type { Span } from "./spans.ts";

/** What a run measured. */
export interface Measured {
  readonly acked: number;
  readonly lost: number;
  /** acknowledged writes per second before the fault */
  readonly rate: number;
  readonly twoWritableMs: number;
  readonly addresses: number;
  /** who was seen to take writes, and when */
  readonly writable: Readonly<Record<string, readonly Span[]>>;
  /** from the end of the fault until the group was whole, ms; undefined: not in time */
  readonly convergedMs: number | undefined;
}

export interface Verdict {
  /** never two nodes through the Service, and never two writable ones for longer than the fence's window */
  readonly inv1: boolean;
  /** no acknowledged write lost beyond what asynchronous replication makes unavoidable */
  readonly inv2: boolean;
  /** whole again by itself in time */
  readonly inv3: boolean;
  /** how many acknowledged writes the fault may have lost at worst */
  readonly allowedLoss: number;
}

/** What may pass between a cut and the moment when the master counts no replica any more: both look once a second, ms. */
const COUNTED_LATE_MS = 2000;
/** So long a master that is cut off takes writes, by the default of min-replicas-max-lag, ms. */
export const FENCE_MS = maxLagDefaultS(DOWN_AFTER_DEFAULT_MS) * 1000 + COUNTED_LATE_MS;
/** What Sentinel needs beyond down-after, and the handlers to promote and to demote, ms. */
const PROMOTED_MS = 700;
/** So long a master takes writes that nobody hears and that does not know it, ms. */
export const DEAF_MS = DOWN_AFTER_DEFAULT_MS + PROMOTED_MS;
/** The fence's window with `durability: replicated`, ms: what docs/durability.md promises, as measured (ADR 0030), which is less than the sum of the clocks. */
export const FENCE_REPLICATED_MS = 2500;
/** What a dying master may have acknowledged and not sent: replies and the replicas' stream leave in the same pass of its loop, so this is ample, ms. */
export const DEATH_MS = 50;
export const CONVERGED_MS = 60_000;

/** @param durable the group has `durability: replicated` and the clients WAIT: nothing may be lost by any fault */
export function judge(measured: Measured, allowed: Allowed, durable = false): Verdict {
  const windowMs = durable ? 0 : { none: 0, death: DEATH_MS, isolated: FENCE_MS, deaf: DEAF_MS }[allowed];
  const fenceMs = durable ? FENCE_REPLICATED_MS : FENCE_MS;
  const allowedLoss = Math.ceil((measured.rate * windowMs) / 1000);
  return {
    inv1: oneSeen(measured) && measured.twoWritableMs <= fenceMs,
    inv2: measured.lost <= allowedLoss,
    inv3: measured.convergedMs !== undefined && measured.convergedMs <= CONVERGED_MS,
    allowedLoss,
  };
}

/** One address at most, and a witness that saw something: whoever is blind would see nothing wrong either. */
export function oneSeen({ addresses, writable }: Pick<Measured, "addresses" | "writable">): boolean {
  return addresses === 1 && Object.values(writable).some((spans) => spans.length > 0);
}
