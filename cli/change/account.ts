/** What a change of master cost, in a person's words, as far as the handlers' account tells. Pure. */
import type { Timeline } from "../../handlers/act/timeline.ts";
import { REASON } from "../../model/reasons.ts";
import { milliseconds } from "../paper.ts";

/** From when on writes were held back, and until when. */
const HELD_FROM = "paused";
const HELD_UNTIL = ["routed", "patched"] as const;

const at = (timeline: Timeline, step: string): number | undefined => timeline.steps.find((one) => one.step === step)?.ms;

/** How long writes were held back, ms; undefined where nothing was held back (a failover), or the step is missing. */
export function heldMs(timeline: Timeline): number | undefined {
  const from = at(timeline, HELD_FROM);
  const until = HELD_UNTIL.map((step) => at(timeline, step)).find((ms) => ms !== undefined);
  return from === undefined || until === undefined ? undefined : until - from;
}

/** Gap and lost writes, each as one sentence. */
export function costLines(
  timeline: Timeline | undefined,
  events: readonly { readonly reason: string; readonly message: string }[],
): string[] {
  if (timeline === undefined) return ["the handlers gave no account of the steps in time; see redis-ha history"];
  const held = heldMs(timeline);
  const lost = events.find(({ reason }) => reason === REASON.WritesLost);
  return [
    held === undefined
      ? `gap: not known (${timeline.kind}: writes were not held back)`
      : `gap: writes were held back for ${milliseconds(held)}, until the Service led to ${timeline.to}`,
    lost === undefined
      ? timeline.kind === "handover"
        ? "lost: 0 (both had every byte before the role moved)"
        : "lost: nothing was reported"
      : `lost: ${lost.message}`,
  ];
}
