/**
 * Makes one replica the master and has the sentinels agree ("H", ADR 0001): votes of a majority for one new epoch, the freshest replica,
 * REPLICAOF NO ONE, the others follow it, hello to every sentinel, majority asked back, then the Service is routed.
 * Whoever dies between two steps: an unvoted group is untouched, votes expire by themselves, a promoted node that nobody names is finished by `failover`.
 */
import type { Address, MemberFact } from "../../model/facts.ts";
import type { PromoteAction } from "../../model/plan.ts";
import { ANSWER_MS } from "../observe/link.ts";
import { redisFact } from "../observe/replies.ts";
import { SILENT_HEIR_MS } from "../policies/successor.ts";
import { nameAt } from "../policies/view.ts";
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
import { cutAfterRouting } from "./cut.ts";
import { historyOf, untilAttached } from "./redis.ts";
import { rivalElected } from "./rival.ts";
import { writeRoute } from "./route.ts";
import { remonitor, teach, tell } from "./tell.ts";
import { Stopwatch } from "./timeline.ts";
import { winVotes } from "./votes.ts";

/** The EndpointSlice is waited for so long, for the story only, ms. */
const ROUTED_MS = 2000;

export async function promote(context: ActContext, action: PromoteAction): Promise<ActResult> {
  const kind = action.cause === "failover" || action.cause === "person" ? "failover" : action.cause;
  const watch = new Stopwatch(
    kind,
    action.message,
    action.old === undefined ? "" : nameAt(context.facts, action.old),
    action.since,
  );
  if (action.since !== undefined) watch.mark("detected");
  let epoch = action.epoch;
  if (action.votes > 0) {
    const election = await winVotes(context, action.sentinels, action.votes, epoch);
    if (!election.won) {
      if (election.electing) return refused("a sentinel is electing; its election goes first");
      return failed(`${election.granted} votes of the sentinels, ${action.votes} are needed`);
    }
    epoch = election.epoch;
    watch.mark("voted");
  }

  const askedAt = performance.now();
  const rivals = async (): Promise<boolean> => action.votes > 0 && (await rivalElected(context, action.sentinels));
  const [chosen, rival] = await Promise.all([freshest(context, action.candidates), rivals()]);
  // Whoever waited for a silent candidate asks again.
  if (rival || (performance.now() - askedAt > ANSWER_MS && (await rivals())))
    return refused("a sentinel was elected meanwhile; its election goes first");
  // Votes are a fence of their own, but only against those who ask for none: a leader after us has won newer ones.
  if (!context.leading()) return refused(NOT_LEADING);
  if (chosen === undefined) return failed("no candidate answers any more");
  const master = addressOf(chosen);
  const problem = await makeMaster(context, chosen);
  if (problem !== undefined) return failed(problem);
  watch.mark("promoted");
  // The next leader finds it and goes on from here; by now the others may follow somebody else.
  if (!context.leading()) return refused(NOT_LEADING);

  const others = [...action.others, ...action.candidates].filter((member) => member.pod.uid !== chosen.pod.uid);
  const following = pointTo(context, others, master);
  if (action.cause === "bootstrap") {
    await following;
    return DONE; // no sentinel watches yet: `route` and `sentinels` go on from the claim, which is now a fact; `route` tells of it
  }
  const history = historyOf(context, chosen);
  const monitoring = action.sentinels.filter(({ sentinel }) => sentinel?.state === "up" && sentinel.master !== undefined);
  const needed = Math.min(Math.max(action.votes, Math.floor(monitoring.length / 2) + 1), monitoring.length);
  const told = byMonitor(context, action)
    ? await remonitor(context, action.sentinels, master)
    : await tell(context, monitoring, master, epoch, needed);
  watch.mark("agreed");
  if (action.votes > 0 && told < needed)
    return failed(`only ${told} of ${monitoring.length} sentinels took the new master ${master.ip}`);
  if (action.votes === 0 && !byMonitor(context, action)) await teach(context, action, master, epoch);
  return finish(context, action, { member: chosen, history: await history, master, epoch, watch, following, others });
}

/** Public commands only, by annotation, or because the hello was not taken. */
const byMonitor = (context: ActContext, action: PromoteAction): boolean =>
  action.byMonitor === true || context.facts.settings.promotion === "sentinel";

interface Promoted {
  readonly member: MemberFact;
  /** what it writes since it is master */
  readonly history: string;
  readonly master: Address;
  readonly epoch: number;
  readonly watch: Stopwatch;
  readonly following: Promise<unknown>;
  /** the replicas that were pointed to it */
  readonly others: readonly MemberFact[];
}

async function finish(context: ActContext, action: PromoteAction, promoted: Promoted): Promise<ActResult> {
  const { member, history, epoch, watch } = promoted;
  const routed = await writeRoute(context, member.pod, epoch, action.reason, history);
  // A leader after us has made somebody else master, and told it.
  if (routed.outcome === "refused") return routed;
  watch.mark("patched");
  await promoted.following;
  watch.timeline.to = member.pod.name;
  watch.timeline.outcome = routed.outcome;
  context.background(settle(context, action, promoted));
  // Not routed is not lost: the sentinels agree, so the next round's `route` goes on from there.
  return routed.outcome === "failed"
    ? failed(`promoted ${member.pod.name}, but the Service could not be moved yet: ${routed.why}`)
    : DONE;
}

/** Waits for the EndpointSlice, cuts whoever still hangs on the old master (it may be reachable after all), and keeps the story. */
async function settle(context: ActContext, action: PromoteAction, { member, master, watch, others }: Promoted): Promise<void> {
  await context.endpoints.until((addresses) => addresses.has(master.ip), ROUTED_MS);
  watch.mark("endpoint");
  context.say(action.reason, `${action.message}; ${member.pod.name} is master now (${watch.text()})`, {
    timeline: watch.timeline,
  });
  if (action.old !== undefined && (await cutAfterRouting(context, master.ip, action.old))) watch.mark("cut");
  if (await untilAttached(context, others, master)) watch.mark("attached");
  context.recordTimeline(watch.timeline);
}

/**
 * Re-reads the candidates' real offsets (ROLE says -1 while a link is down, INFO does not) and takes the highest; among equals the order given. One that is slow
 * to answer may be the one that has most, and is waited for.
 */
async function freshest(context: ActContext, candidates: readonly MemberFact[]): Promise<MemberFact | undefined> {
  const read = await Promise.all(
    candidates.map(async (member) => {
      const info = await redisLink(context, member)
        ?.call(["INFO"], SILENT_HEIR_MS)
        .catch(() => undefined);
      const redis = info === undefined ? undefined : redisFact(info, []);
      return redis === undefined || redis.loading ? undefined : { member, redis };
    }),
  );
  const able = read.filter((one) => one !== undefined);
  const already = able.find(({ redis }) => redis.role === "master");
  const best =
    already ??
    able.reduce<(typeof able)[number] | undefined>(
      (highest, one) => (highest === undefined || one.redis.offset > highest.redis.offset ? one : highest),
      undefined,
    );
  return best?.member;
}

/** REPLICAOF NO ONE, believed only when ROLE says so. Returns what went wrong, or undefined. */
export async function makeMaster(context: ActContext, member: MemberFact): Promise<string | undefined> {
  const link = redisLink(context, member);
  if (link === undefined) return `${member.pod.name} is not connected`;
  // In one write: each way there and back is time in which nobody can write.
  const answers = await link.all([["REPLICAOF", "NO", "ONE"], ["ROLE"]]);
  const error = answers.find((answer) => answer instanceof Error);
  if (error !== undefined) return `${member.pod.name}: ${messageOf(error)}`;
  const role = answers[1];
  return Array.isArray(role) && String(role[0]) === "master" ? undefined : `${member.pod.name} did not become master`;
}

/** Points nodes to the new master; one that does not answer is left to `attach`. */
export async function pointTo(context: ActContext, members: readonly MemberFact[], master: Address): Promise<void> {
  await Promise.allSettled(
    members.map((member) => redisLink(context, member)?.call(["REPLICAOF", master.ip, String(master.port)]) ?? Promise.resolve()),
  );
}
