/**
 * Makes one replica the master and has the sentinels agree ("H", facts/promotion.md): votes of a majority for one new epoch, the freshest replica,
 * REPLICAOF NO ONE, the others follow it, hello to every sentinel, majority asked back, then the Service is routed.
 * Whoever dies between two steps: an unvoted group is untouched, votes expire by themselves, a promoted node that nobody names is finished by `failover`.
 */
import type { Address, MemberFact, RedisUp } from "../../model/facts.ts";
import type { PromoteAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { ANSWER_MS } from "../observe/link.ts";
import { redisFact } from "../observe/replies.ts";
import { wantedSettings } from "../policies/sentinels.ts";
import { type ActContext, type ActResult, addressOf, DONE, failed, messageOf, redisLink, refused } from "./context.ts";
import { cutAfterRouting } from "./cut.ts";
import { makeAgree } from "./hello.ts";
import { writeRoute } from "./route.ts";
import { monitor } from "./sentinels.ts";
import { Stopwatch } from "./timeline.ts";
import { winVotes } from "./votes.ts";

/** Within this time a majority of the sentinels should have taken the hello, ms (2–9 measured; they fsync their file). */
const AGREE_MS = 600;

export async function promote(context: ActContext, action: PromoteAction): Promise<ActResult> {
  const kind = action.cause === "failover" || action.cause === "person" ? "failover" : action.cause;
  const watch = new Stopwatch(kind, action.message, action.old?.ip ?? "");
  let epoch = action.epoch;
  if (action.votes > 0) {
    const election = await winVotes(context, action.sentinels, action.votes, epoch);
    if (!election.won) {
      return refused(
        election.electing
          ? "a sentinel is electing; its election goes first"
          : `${election.granted} votes of the sentinels, ${action.votes} are needed`,
      );
    }
    epoch = election.epoch;
    watch.mark("voted");
  }

  const chosen = await freshest(context, action.candidates);
  // Votes are a fence of their own; without them only the Lease says that nobody else chooses now.
  if (action.votes === 0 && !context.leading()) return refused("this replica of the handlers no longer leads");
  if (chosen === undefined) return failed("no candidate answers any more");
  const master = addressOf(chosen.member);
  const problem = await makeMaster(context, chosen.member);
  if (problem !== undefined) return failed(problem);
  watch.mark("promoted");

  const others = [...action.others, ...action.candidates].filter((member) => member.pod.uid !== chosen.member.pod.uid);
  const following = pointTo(context, others, master);
  if (action.cause === "bootstrap") {
    await following;
    context.say(action.reason, action.message);
    return DONE; // no sentinel watches yet: `route` and `sentinels` go on from the claim, which is now a fact
  }
  const monitoring = action.sentinels.filter(({ sentinel }) => sentinel?.state === "up" && sentinel.master !== undefined);
  const needed = Math.min(Math.max(action.votes, Math.floor(monitoring.length / 2) + 1), monitoring.length);
  const agreed = await makeAgree(context, monitoring, master, epoch, needed, AGREE_MS);
  watch.mark("agreed");
  if (action.votes > 0 && agreed < needed)
    return failed(`only ${agreed} of ${monitoring.length} sentinels took the new master ${master.ip}`);
  if (action.votes === 0) await teach(context, action, master, epoch);
  return finish(context, action, { member: chosen.member, redis: chosen.redis, master, epoch, watch, following });
}

interface Promoted {
  readonly member: MemberFact;
  readonly redis: RedisUp;
  readonly master: Address;
  readonly epoch: number;
  readonly watch: Stopwatch;
  readonly following: Promise<unknown>;
}

async function finish(context: ActContext, action: PromoteAction, promoted: Promoted): Promise<ActResult> {
  const { member, redis, epoch, watch } = promoted;
  const routed = await writeRoute(context, member.pod, epoch, action.reason, redis.replid);
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

/** Waits for the EndpointSlice, tells the story, and cuts whoever still hangs on the old master (it may be reachable after all). */
async function settle(context: ActContext, action: PromoteAction, { member, master, watch }: Promoted): Promise<void> {
  await context.endpoints.until((addresses) => addresses.has(master.ip), 2000);
  watch.mark("endpoint");
  context.recordTimeline(watch.timeline);
  context.say(action.reason, `${action.message}; ${member.pod.name} is master now (${watch.text()})`, {
    timeline: watch.timeline,
  });
  if (action.old !== undefined) await cutAfterRouting(context, master.ip, action.old);
}

/** Re-reads the candidates' real offsets (ROLE says -1 while a link is down, INFO does not) and takes the highest; among equals the order given. */
async function freshest(
  context: ActContext,
  candidates: readonly MemberFact[],
): Promise<{ member: MemberFact; redis: RedisUp } | undefined> {
  const read = await Promise.all(
    candidates.map(async (member) => {
      const info = await redisLink(context, member)
        ?.call(["INFO"], ANSWER_MS)
        .catch(() => undefined);
      const redis = info === undefined ? undefined : redisFact(info, []);
      return redis === undefined || redis.loading ? undefined : { member, redis };
    }),
  );
  const able = read.filter((one) => one !== undefined);
  const already = able.find(({ redis }) => redis.role === "master");
  return (
    already ??
    able.reduce<(typeof able)[number] | undefined>(
      (best, one) => (best === undefined || one.redis.offset > best.redis.offset ? one : best),
      undefined,
    )
  );
}

/** REPLICAOF NO ONE, believed only when ROLE says so. Returns what went wrong, or undefined. */
export async function makeMaster(context: ActContext, member: MemberFact): Promise<string | undefined> {
  const link = redisLink(context, member);
  if (link === undefined) return `${member.pod.name} is not connected`;
  try {
    await link.call(["REPLICAOF", "NO", "ONE"]);
    const role = await link.call(["ROLE"]);
    return Array.isArray(role) && String(role[0]) === "master" ? undefined : `${member.pod.name} did not become master`;
  } catch (error) {
    return `${member.pod.name}: ${messageOf(error)}`;
  }
}

/** Points nodes to the new master; one that does not answer is left to `attach`. */
export async function pointTo(context: ActContext, members: readonly MemberFact[], master: Address): Promise<void> {
  await Promise.allSettled(
    members.map((member) => redisLink(context, member)?.call(["REPLICAOF", master.ip, String(master.port)]) ?? Promise.resolve()),
  );
}

/** Recovery: sentinels that took no hello (they know no peer, or watch nothing) are told by MONITOR. */
async function teach(context: ActContext, action: PromoteAction, master: Address, epoch: number): Promise<void> {
  await Promise.allSettled(
    action.sentinels.map(async (member) => {
      const watched = member.sentinel?.state === "up" ? member.sentinel.master : undefined;
      if (watched !== undefined && watched.sentinels.length > 0 && watched.configEpoch < epoch) return;
      await monitor(context, {
        kind: "monitor",
        member,
        master,
        settings: wantedSettings(context.facts),
        replace: watched !== undefined,
      });
    }),
  );
  context.log.debug({ reason: REASON.SentinelConfigured }, "sentinels told of the recovered master");
}
