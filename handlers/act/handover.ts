/**
 * Planned change of master without losing a write (facts/promotion.md section 4, "H"): pause writes, wait for equal offsets, win the votes, promote, tell the
 * sentinels, demote the old one, route, and when new connections lead to the new master, cut the old ones and lift the pause.
 * Every step is bounded. Before the promotion a failure lifts the pause and leaves all as it was; after it the only way is forward.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Address, MemberFact } from "../../model/facts.ts";
import type { HandoverAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import type { Link } from "../observe/link.ts";
import { infoFields } from "../observe/replies.ts";
import { type ActContext, type ActResult, addressOf, DONE, failed, messageOf, redisLink, refused } from "./context.ts";
import { cutRepeatedly, untilRouted } from "./cut.ts";
import { agrees, makeAgree } from "./hello.ts";
import { makeMaster, pointTo } from "./promote.ts";
import { writeRoute } from "./route.ts";
import { Stopwatch } from "./timeline.ts";
import { winVotes } from "./votes.ts";

/** The pause outlives every bound below, so that a late fence never lets a write through to the old master. */
export const PAUSE_MS = 10_000;
/** Equal offsets take under 1 ms on a healthy link; a replica that needs longer than this is not in a state to take over, ms. */
const EQUAL_MS = 1500;
const AGREE_MS = 600;
/** So long after the pause the promotion may still begin, ms: far below PAUSE_MS, by our own clock. */
const PAUSE_TRUST_MS = 4000;

export async function handover(context: ActContext, action: HandoverAction): Promise<ActResult> {
  const watch = new Stopwatch("handover", action.cause, action.from.pod.name);
  const old = redisLink(context, action.from);
  if (old === undefined) return refused("the master is not connected");
  const names = action.candidates.map(({ pod }) => pod.name).join(", ");
  context.say(REASON.HandoverStarted, `${action.cause}; handing over from ${action.from.pod.name} to the best of ${names}`);
  try {
    await old.call(["CLIENT", "PAUSE", String(PAUSE_MS), "WRITE"]);
  } catch (error) {
    return abort(context, old, `CLIENT PAUSE on ${action.from.pod.name}: ${messageOf(error)}`);
  }
  watch.mark("paused");
  const pausedAt = performance.now();

  const successor = await equalOffset(context, old, action.candidates);
  if (successor === undefined) return abort(context, old, `no replica reached the master's offset within ${EQUAL_MS} ms`);
  watch.mark("equal");

  const election = await winVotes(context, action.sentinels, action.votes, action.epoch);
  if (!election.won) {
    const why = election.electing ? "a sentinel is electing" : `${election.granted} votes of ${action.votes} needed`;
    return abort(context, old, why);
  }
  watch.mark("voted");
  // The pause must still hold: a stall of ours, or a new leader that lifted it, would let writes through that the successor never sees.
  const late = performance.now() - pausedAt > PAUSE_TRUST_MS;
  if (late || !context.leading() || !(await isEqual(context, old, successor))) {
    return abort(
      context,
      old,
      late ? "it took too long after the pause" : "the pause no longer holds, or this replica no longer leads",
    );
  }
  const problem = await makeMaster(context, successor);
  if (problem !== undefined) {
    // It may have become master and only its answer was lost. It was equal, it is not routed, and `fence` demotes it: going back is safe.
    await pointTo(context, [successor], addressOf(action.from));
    return abort(context, old, problem);
  }
  watch.mark("promoted");
  return forward(context, action, successor, old, election.epoch, watch);
}

async function forward(
  context: ActContext,
  action: HandoverAction,
  successor: MemberFact,
  old: Link,
  epoch: number,
  watch: Stopwatch,
): Promise<ActResult> {
  const master = addressOf(successor);
  const from = addressOf(action.from);
  const others = [...action.others, ...action.candidates].filter((member) => member.pod.uid !== successor.pod.uid);
  const following = pointTo(context, others, master);
  const agreed = await makeAgree(context, action.sentinels, master, epoch, action.votes, AGREE_MS);
  watch.mark("agreed");
  if (agreed === 0 && !(await anyAgrees(context, action.sentinels, master, epoch))) {
    // Nobody took it: going back is still safe, since the old master is paused and nothing was routed.
    await pointTo(context, [successor, ...others], from);
    return abort(context, old, "no sentinel took the new master");
  }
  await pointTo(context, [action.from], master);
  watch.mark("demoted");
  const info = infoFields(
    await redisLink(context, successor)
      ?.call(["INFO", "replication"])
      .catch(() => ""),
  );
  const routed = await writeRoute(context, successor.pod, epoch, REASON.HandedOver, info.get("master_replid") ?? "");
  watch.mark("patched");
  // Never cut before routed (law 4): while the Service could not be moved, `route` goes on trying, and cuts when it has.
  if (routed.outcome === "done") await untilRouted(context, master.ip, from.ip);
  watch.mark("routed");
  const cutting = routed.outcome === "done" ? cutRepeatedly(old) : Promise.resolve(0);
  const cut = cutting.finally(() => old.call(["CLIENT", "UNPAUSE"]).catch(() => undefined));
  watch.mark("cut");
  await following;
  watch.timeline.to = successor.pod.name;
  watch.timeline.outcome = routed.outcome;
  context.background(
    cut.then((count) => {
      context.recordTimeline(watch.timeline);
      context.say(
        REASON.HandedOver,
        `${successor.pod.name} took over from ${action.from.pod.name} (${action.cause}); ${count} connections cut; ${watch.text()}`,
        { timeline: watch.timeline },
      );
    }),
  );
  return routed.outcome === "failed"
    ? failed(`handed over to ${successor.pod.name}, but the Service could not be moved yet: ${routed.why}`)
    : DONE;
}

async function abort(context: ActContext, old: Link, why: string): Promise<ActResult> {
  await old.call(["CLIENT", "UNPAUSE"]).catch(() => undefined);
  context.say(REASON.HandoverAborted, `handover given up, writes go on as before: ${why}`);
  return failed(why);
}

/** The first candidate, in the order given, whose offset is the paused master's; all are asked in each round. */
async function equalOffset(context: ActContext, old: Link, candidates: readonly MemberFact[]): Promise<MemberFact | undefined> {
  const deadline = performance.now() + EQUAL_MS;
  // A preferred candidate (newest revision, staying) gets a head start; after that any that is equal will do.
  const patience = performance.now() + EQUAL_MS / 3;
  for (;;) {
    const [target, ...reached] = await Promise.all([
      offset(old, "master_repl_offset"),
      ...candidates.map((member) => offset(redisLink(context, member), "slave_repl_offset")),
    ]);
    if (target === undefined) return undefined;
    const equal = candidates.filter((_, at) => (reached[at] ?? -1) >= target);
    const first = equal[0];
    if (first !== undefined && (first === candidates[0] || performance.now() > patience)) return first;
    if (performance.now() > deadline) return undefined;
    await sleep(1);
  }
}

async function isEqual(context: ActContext, old: Link, successor: MemberFact): Promise<boolean> {
  const [target, reached] = await Promise.all([
    offset(old, "master_repl_offset"),
    offset(redisLink(context, successor), "slave_repl_offset"),
  ]);
  return target !== undefined && reached !== undefined && reached >= target;
}

/** A hello whose answer was late may have been taken all the same: then the only way is forward. */
async function anyAgrees(
  context: ActContext,
  sentinels: readonly MemberFact[],
  master: Address,
  epoch: number,
): Promise<boolean> {
  const answers = await Promise.all(sentinels.map((member) => agrees(context, member, master, epoch)));
  return answers.includes(true);
}

async function offset(link: Link | undefined, field: string): Promise<number | undefined> {
  const info = await link?.call(["INFO", "replication"]).catch(() => undefined);
  const text = info === undefined ? undefined : infoFields(info).get(field);
  return text === undefined ? undefined : Number(text);
}
