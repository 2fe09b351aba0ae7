/**
 * When kube-proxy will take up a change at once. Pure.
 *
 * kube-proxy (its BoundedFrequencyRunner, the same in iptables, nftables and ipvs mode) syncs at once when it is idle; then it takes nothing up for
 * minSyncPeriod (1 s by default) after that sync ended. What changes meanwhile waits until then, and that later sync makes it busy for another period.
 * Any non-headless EndpointSlice of the cluster counts; a Service's selector and annotations do not. ADR 0016.
 */
import type { PodFact } from "../../model/facts.ts";
import type { Memory } from "../../model/plan.ts";
import type { Context } from "./policy.ts";

/** minSyncPeriod's default, ms. */
const MIN_SYNC_MS = 1000;
/**
 * How long a sync itself may take, ms: it is not known, differs from node to node, and a few ms decide whether a change was still part of a deferred sync
 * or asks for one more. So each of these is followed, and the proxies are free when the last of them is.
 */
export const SYNC_MS: readonly number[] = [5, 10, 20, 40, 80, 120];
/** The watches of the proxies may be so much later than ours, ms. */
const LAG_MS = 30;

/** What one kube-proxy is doing, as far as the changes that it must have seen tell. All times in ms of one clock. */
interface Runner {
  readonly periodMs: number;
  readonly busyUntil: number;
  /** a change waits for `busyUntil`: then it syncs, and is busy for another period */
  readonly deferred: boolean;
}

/** What kube-proxy is doing, for each length that its syncs may have. */
export type ProxySchedule = readonly Runner[];

/** A proxy of which nothing is known is taken for one that has just begun a sync. */
export const unknownSchedule = (at: number): ProxySchedule =>
  SYNC_MS.map((syncMs) => began({ periodMs: MIN_SYNC_MS + syncMs, busyUntil: at, deferred: false }, at));

const began = (runner: Runner, at: number): Runner => ({ ...runner, busyUntil: at + runner.periodMs, deferred: false });

/** The schedule after an EndpointSlice changed at `at`; not before the change that was noted last. */
export function afterChange(schedule: ProxySchedule, at: number): ProxySchedule {
  return schedule.map((before) => {
    const now = before.deferred && before.busyUntil < at ? began(before, before.busyUntil) : before;
    return at < now.busyUntil ? { ...now, deferred: true } : began(now, at);
  });
}

/** From when on a change is taken up at once, if nothing else changes before. */
export function freeAt(schedule: ProxySchedule): number {
  const ends = schedule.map(({ busyUntil, deferred, periodMs }) => (deferred ? busyUntil + periodMs : busyUntil));
  return Math.max(...ends) + LAG_MS;
}

/** Longer is not waited for a free moment, ms: in a busy cluster there is none. */
const PATIENCE_MS = 5000;
/** A pod with less time to live than this can't wait, ms. */
const GRACE_TO_WAIT_MS = 10_000;
/** A pod's deletion is a change of its own, which reaches us within this time, ms. */
const DELETION_SEEN_MS = 500;
/** A cordon is mostly the beginning of a drain, whose eviction changes the endpoints: it comes within this time, ms. Else nobody is in a hurry. */
const EVICTION_SEEN_MS = 2000;

/** What the memory keeps of a wish for a hand-over: an eviction after a cordon is a new one, and its times begin anew. */
export function wanted(memory: Pick<Memory, "handoverWanted">, cause: string, at: number): { cause: string; since: number } {
  return memory.handoverWanted?.cause === cause ? memory.handoverWanted : { cause, since: at };
}

/**
 * Whether a planned change of master may begin: nothing has failed, and the old master serves while we wait.
 * @param leaving the pod whose redis is to be replaced; undefined: one that stays for as long as it is needed
 * @param since when the change was first wanted, ms since 1970
 */
export function proxiesAreReady(
  { facts }: Pick<Context, "facts">,
  leaving: Pick<PodFact, "orphan" | "graceMs" | "terminating" | "nodeGoing"> | undefined,
  since: number,
): boolean {
  const going = leaving?.terminating === true || leaving?.orphan === true;
  if (going && (leaving.orphan || leaving.graceMs < GRACE_TO_WAIT_MS)) return true;
  const waited = facts.at - since;
  if (waited >= PATIENCE_MS) return true;
  if (waited < (going ? DELETION_SEEN_MS : leaving?.nodeGoing === true ? EVICTION_SEEN_MS : 0)) return false;
  return facts.proxiesFreeInMs <= 0;
}
