/**
 * Whether a sentinel has won an election of its own beside ours. The facts of a round are some milliseconds old when we have the votes, on a busy machine
 * hundreds: a sentinel that was elected in between promotes all the same, for it has its votes already, and two replicas would become master.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { MemberFact } from "../../model/facts.ts";
import { flatFields } from "../observe/replies.ts";
import { type ActContext, sentinelLink } from "./context.ts";

/** A sentinel that is not elected yet counts its votes ten times a second; answers that were under way when we took the votes are in by then, ms. */
const COUNT_MS = 120;
const COUNTS = 2;
/** Not elected yet (sentinel.c, SENTINEL_FAILOVER_STATE_WAIT_START): once a majority has voted for us in a later epoch it gets no more votes. */
const WAITS = "wait_start";

/** Asks all `sentinels` at once; again only while one of them may still find that it was elected. To be called when a majority's votes are ours. */
export async function rivalElected(context: ActContext, sentinels: readonly MemberFact[]): Promise<boolean> {
  for (let count = 0; ; count += 1) {
    const states = await Promise.all(sentinels.map((member) => failoverState(context, member)));
    if (states.some((state) => state !== undefined && state !== WAITS)) return true;
    if (!states.includes(WAITS) || count === COUNTS) return false;
    await sleep(COUNT_MS);
  }
}

/** Its state in a failover that it leads; undefined: it leads none, or does not answer. */
async function failoverState(context: ActContext, member: MemberFact): Promise<string | undefined> {
  const reply = await sentinelLink(context, member)
    ?.call(["SENTINEL", "MASTER", context.links.masterName])
    .catch(() => undefined);
  const fields = flatFields(reply);
  return fields.get("flags")?.includes("failover_in_progress") === true ? (fields.get("failover-state") ?? "unknown") : undefined;
}
