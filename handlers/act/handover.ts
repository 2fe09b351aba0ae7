/**
 * Planned change of master without losing a write (ADR 0005): pause writes, wait for equal offsets, promote ("H": by votes and hello; or "R": by
 * SENTINEL FAILOVER), demote the old one, route, and when new connections lead to the new master, cut the old ones and lift the pause.
 * Every step is bounded. Before the promotion a failure lifts the pause and leaves all as it was; after it the only way is forward. A replica of the handlers that
 * finds out, at any step, that it leads no longer lets go of everything: the next leader finishes or goes back by the facts (`inherit`, `fence`, `failover`).
 */
import type { Address, MemberFact } from "../../model/facts.ts";
import type { HandoverAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import type { Link } from "../observe/link.ts";
import {
  type ActContext,
  type ActResult,
  addressOf,
  DONE,
  failed,
  messageOf,
  NOT_LEADING,
  redisLink,
  refused,
} from "./context.ts";
import { letGo, untilRouted } from "./cut.ts";
import { bySentinel } from "./handover-by-sentinel.ts";
import { byVotes } from "./handover-by-votes.ts";
import { agrees } from "./hello.ts";
import { persist } from "./persist.ts";
import { pointTo } from "./promote.ts";
import { historyOf, untilAttached } from "./redis.ts";
import { writeRoute } from "./route.ts";
import { Stopwatch } from "./timeline.ts";

/** The pause outlives every bound of the steps, so that a late fence never lets a write through to the old master. */
export const PAUSE_MS = 10_000;
/** So long after the pause the promotion may still begin, ms: far below PAUSE_MS, by our own clock. */
const PAUSE_TRUST_MS = 4000;
/** We led when we paused, and nobody else can lead before this time after we had to stop (the margin of the Lease), ms. */
const NOBODY_YET_MS = 500;

/** What the ways to promote are given. */
export interface Handing {
  readonly context: ActContext;
  readonly action: HandoverAction;
  /** the link to the old master */
  readonly old: Link;
  readonly watch: Stopwatch;
  /** when writes were paused, by performance.now() */
  readonly pausedAt: number;
  /** Why the promotion may not begin now, or undefined: the pause may be over, or another replica of the handlers may lead. */
  readonly objection: () => string | undefined;
}

/** Promoted, and the sentinels know or will; or nothing has changed and the pause can be lifted. */
export type Handed =
  | { readonly done: true; readonly successor: MemberFact; readonly epoch: number; readonly following: Promise<unknown> }
  | { readonly done: false; readonly why: string };

export async function handover(context: ActContext, action: HandoverAction): Promise<ActResult> {
  const watch = new Stopwatch("handover", action.cause, action.from.pod.name);
  const old = redisLink(context, action.from);
  if (old === undefined) return refused("the master is not connected");
  if (!context.leading()) return refused(NOT_LEADING);
  const names = action.candidates.map(({ pod }) => pod.name).join(", ");
  context.say(REASON.HandoverStarted, `${action.cause}; handing over from ${action.from.pod.name} to the best of ${names}`);
  const pausedAt = performance.now();
  const objection = (): string | undefined => {
    if (performance.now() - pausedAt > PAUSE_TRUST_MS) return "it took too long after the pause";
    return context.leading() ? undefined : NOT_LEADING;
  };
  const handing = { context, action, old, watch, pausedAt, objection };
  try {
    await old.call(["CLIENT", "PAUSE", String(PAUSE_MS), "WRITE"]);
  } catch (error) {
    return await abort(handing, `CLIENT PAUSE on ${action.from.pod.name}: ${messageOf(error)}`);
  }
  watch.mark("paused");
  const handed = action.by === "votes" ? await byVotes(handing) : await bySentinel(handing);
  return handed.done ? await forward(handing, handed) : await abort(handing, handed.why);
}

async function forward({ context, action, old, watch }: Handing, handed: Handed & { done: true }): Promise<ActResult> {
  const { successor, epoch, following } = handed;
  const master = addressOf(successor);
  const from = addressOf(action.from);
  // Whoever leads now may have gone back. What a majority of the sentinels says at this moment holds whoever leads, also while nobody can.
  if (!context.leading() && !(await stillNamed(context, action, master, epoch))) return refused(NOT_LEADING);
  const [history] = await Promise.all([historyOf(context, successor), pointTo(context, [action.from], master)]);
  watch.mark("demoted");
  const routed = await writeRoute(context, successor.pod, epoch, REASON.HandedOver, history);
  watch.mark("patched");
  // Never cut before routed (law 4): while the Service could not be moved, `route` goes on trying, and cuts when it has.
  const moved = routed.outcome === "done" && (await untilRouted(context, master.ip, from.ip));
  if (moved) watch.mark("routed");
  const cut =
    routed.outcome === "done"
      ? letGo(context, { link: old, from: from.ip, to: master.ip }, moved)
      : persist(old, ["CLIENT", "UNPAUSE"]).then(() => 0);
  if (moved) watch.mark("cut");
  await following;
  watch.timeline.to = successor.pod.name;
  watch.timeline.outcome = routed.outcome;
  context.background(
    cut.then(async (count) => {
      context.say(
        REASON.HandedOver,
        `${successor.pod.name} took over from ${action.from.pod.name} (${action.cause}); ${count} connections cut; ${watch.text()}`,
        { timeline: watch.timeline },
      );
      if (await untilAttached(context, action.others, master)) watch.mark("attached");
      context.recordTimeline(watch.timeline);
    }),
  );
  return routed.outcome === "failed"
    ? failed(`handed over to ${successor.pod.name}, but the Service could not be moved yet: ${routed.why}`)
    : DONE;
}

/** A majority of the sentinels names it, in the epoch of this handover or a later one. */
async function stillNamed(context: ActContext, action: HandoverAction, master: Address, epoch: number): Promise<boolean> {
  const answers = await Promise.all(action.sentinels.map((member) => agrees(context, member, master, epoch)));
  return answers.filter(Boolean).length >= action.votes;
}

/**
 * Writes go on as before. Where we have led no longer for a while, somebody else may have paused for reasons of his own: then the pause is left to the next
 * leader, and to its own end.
 */
async function abort({ context, old, pausedAt }: Handing, why: string): Promise<ActResult> {
  if (!context.leading() && performance.now() - pausedAt > NOBODY_YET_MS) return refused(NOT_LEADING);
  await persist(old, ["CLIENT", "UNPAUSE"]);
  context.say(REASON.HandoverAborted, `handover given up, writes go on as before: ${why}`);
  return failed(why);
}
