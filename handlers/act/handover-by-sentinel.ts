/**
 * "R", for `promotion: sentinel`: SENTINEL FAILOVER on one sentinel while writes are paused, and the candidates' ROLE until one of them is master. Public commands
 * only. Sentinel chooses the successor by what it knows of the replicas, so all that it may choose must be equal first.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { MemberFact } from "../../model/facts.ts";
import { LinkError } from "../observe/link.ts";
import { type ActContext, addressOf, messageOf, redisLink, sentinelLink } from "./context.ts";
import type { Handed, Handing } from "./handover.ts";
import { allEqual, areEqual, EQUAL_MS } from "./offsets.ts";
import { pointTo } from "./promote.ts";

/** Sentinel promotes within 290 ms (three of its ticks); a busy machine gets more, and the pause lasts longer still, ms. */
const PROMOTED_MS = 2500;
const POLL_MS = 5;
const ANSWER_MS = 1000;

export async function bySentinel({ context, action, old, watch, objection }: Handing): Promise<Handed> {
  const [sentinel] = action.sentinels;
  const link = sentinel === undefined ? undefined : sentinelLink(context, sentinel);
  if (link === undefined) return { done: false, why: "no sentinel is connected" };
  if (!(await allEqual(context, old, action.candidates)))
    return { done: false, why: `not every replica that Sentinel may choose reached the master's offset within ${EQUAL_MS} ms` };
  watch.mark("equal");
  const equal = await areEqual(context, old, action.candidates);
  const why = objection() ?? (equal ? undefined : "the pause no longer holds");
  if (why !== undefined) return { done: false, why };

  let unanswered: string | undefined;
  try {
    await link.call(["SENTINEL", "FAILOVER", context.links.masterName], ANSWER_MS);
  } catch (error) {
    // A refusal changes nothing. An answer that is late may be a yes: then only what the candidates say counts.
    unanswered = messageOf(error);
    if (!(error instanceof LinkError)) return { done: false, why: unanswered };
  }
  watch.mark("asked");
  let successor = await untilMaster(context, action.candidates, PROMOTED_MS);
  if (successor === undefined) {
    // RESET ends a failover that is under way: nobody may be promoted after writes go on again.
    await link.call(["SENTINEL", "RESET", context.links.masterName], ANSWER_MS).catch(() => undefined);
    successor = await untilMaster(context, action.candidates, 0);
  }
  if (successor === undefined) return { done: false, why: unanswered ?? `Sentinel promoted nobody within ${PROMOTED_MS} ms` };
  watch.mark("promoted");
  const { uid } = successor.pod;
  const others = [...action.others, ...action.candidates].filter((member) => member.pod.uid !== uid);
  const epoch = Math.max(action.epoch, context.facts.epochHeard);
  return { done: true, successor, epoch, following: pointTo(context, others, addressOf(successor)) };
}

/** The first of them that says master, asked again and again for `withinMs` and at least once. */
async function untilMaster(
  context: ActContext,
  candidates: readonly MemberFact[],
  withinMs: number,
): Promise<MemberFact | undefined> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const roles = await Promise.all(
      candidates.map((member) =>
        redisLink(context, member)
          ?.call(["ROLE"])
          .catch(() => undefined),
      ),
    );
    const found = candidates.find((_, at) => Array.isArray(roles[at]) && String(roles[at]?.[0]) === "master");
    if (found !== undefined || performance.now() > deadline) return found;
    await sleep(POLL_MS);
  }
}
