/** Which of the three invariants held in one run. Pure. */
import type { Allowed } from "./fault.ts";

/** What a run measured. */
export interface Measured {
  readonly acked: number;
  readonly lost: number;
  /** acknowledged writes per second before the fault */
  readonly rate: number;
  readonly twoWritableMs: number;
  readonly addresses: number;
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

/** The default of min-replicas-max-lag is 10 s; redis looks once a second, and so does the replica's acknowledgement. */
export const FENCE_MS = 12_000;
/** What a dying master may have acknowledged and not sent: replies and the replicas' stream leave in the same pass of its loop, so this is ample, ms. */
export const DEATH_MS = 50;
export const CONVERGED_MS = 60_000;

export function judge(measured: Measured, allowed: Allowed): Verdict {
  const windowMs = { none: 0, death: DEATH_MS, isolated: FENCE_MS }[allowed];
  const allowedLoss = Math.ceil((measured.rate * windowMs) / 1000);
  return {
    inv1: measured.addresses <= 1 && measured.twoWritableMs <= FENCE_MS,
    inv2: measured.lost <= allowedLoss,
    inv3: measured.convergedMs !== undefined && measured.convergedMs <= CONVERGED_MS,
    allowedLoss,
  };
}
