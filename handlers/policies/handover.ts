/** The master is being deleted, drained or asked away: hand over without losing a write (docs/architecture.md, "A master that is to go"). */
import type { Address, GroupFacts } from "../../model/facts.ts";
import { REASON } from "../../model/reasons.ts";
import { type Context, NOTHING, type Policy, type Step } from "./policy.ts";
import { proxiesAreReady, wanted } from "./proxies.ts";
import { handoverCandidates, lacksData, rank } from "./successor.ts";
import {
  addressOf,
  electors,
  highestEpoch,
  type MonitoringMember,
  majority,
  monitoring,
  nameOf,
  type RedisMember,
  redisMembers,
  redisUp,
  sameAddress,
  sentinelElecting,
} from "./view.ts";

/**
 * What a person asks for on the Service. It counts only while the Service as we see it records the present master: a watch that is behind still shows
 * the request of the handover that was done a moment ago, and a second one would follow the first.
 */
function request({ facts, truth }: Context): string | undefined {
  const service = facts.masterService;
  return truth.kind === "confirmed" && service?.record?.uid === truth.member.pod.uid ? service.requests.handover : undefined;
}

/** Why the master should go, in words, or undefined when it may stay. */
function cause(context: Context): string | undefined {
  const { truth } = context;
  if (truth.kind !== "confirmed") return undefined;
  const { pod } = truth.member;
  if (pod.orphan) return `pod ${pod.name} was deleted by force while its redis still runs`;
  if (pod.terminating) return `pod ${pod.name} is being deleted`;
  if (request(context) !== undefined) return "a person asked for it";
  if (truth.redis.cannotSave) return `${pod.name} can't save to its disk and refuses writes`;
  if (pod.nodeGoing) return `node ${pod.node ?? "?"} is cordoned`;
  return undefined;
}

/** A request names a pod, or says anything else for "choose one". */
function askedFor(context: Context, candidates: readonly RedisMember[]): RedisMember[] | string {
  const { facts } = context;
  const asked = request(context);
  const named = asked === undefined ? undefined : facts.members.find(({ pod }) => pod.name === asked);
  if (named === undefined) return [...candidates];
  const fit = candidates.filter(({ member }) => member === named);
  return fit.length > 0 ? fit : `${nameOf(named)} can't take over: its link to the master is not up, or it is about to go`;
}

/**
 * With `promotion: sentinel` any replica may be chosen whose priority is not 0, by what the sentinel knew up to ten seconds ago: so each of them must be well, or
 * writes would be paused for a promotion that can lose some. Returns them, or what is wrong.
 */
function sentinelMayChoose(facts: GroupFacts, master: Address): RedisMember[] | string {
  const others = redisMembers(facts).filter(
    (member) => !sameAddress(addressOf(member), master) && !member.pod.orphan && member.pod.settings.priority !== 0,
  );
  const up = redisUp(facts);
  const found: RedisMember[] = [];
  for (const member of others) {
    // Sentinel's own connection is refused as well: it does not choose that one.
    if (member.redis === undefined || member.redis.state === "refused") continue;
    const one = up.find((seen) => seen.member === member);
    const well = one !== undefined && sameAddress(one.redis.master, master) && one.redis.linkUp;
    if (!well || one.redis.syncing || one.redis.loading || lacksData(facts, one, master))
      return `${nameOf(member)}, which Sentinel may choose, is not in sync`;
    found.push(one);
  }
  return rank(facts, found, false);
}

/** First the sentinels that know every one of the candidates and think them well. */
function bestInformed(watching: readonly MonitoringMember[], candidates: readonly RedisMember[]): MonitoringMember[] {
  const knows = ({ master }: MonitoringMember): number =>
    candidates.filter(({ member }) =>
      master.replicas.some(({ ip, flags }) => ip === member.pod.ip && !flags.some((flag) => BAD.has(flag))),
    ).length;
  return [...watching].sort((a, b) => knows(b) - knows(a));
}

const BAD: ReadonlySet<string> = new Set(["s_down", "o_down", "disconnected"]);

/** Starts the handover act; the act undoes itself at any failure and is tried again later. */
export const handover: Policy = (context): Step => {
  const { facts, truth, memory } = context;
  const why = cause(context);
  if (truth.kind !== "confirmed" || why === undefined || !facts.leading)
    return { actions: [], memory: { handoverWanted: undefined } };
  const handoverWanted = wanted(memory, why, facts.at);
  const asked = request(context);
  if (asked !== undefined && asked === truth.member.pod.name) {
    return { actions: [{ kind: "mark-service", halted: facts.masterService?.halted, clearRequests: ["handover"] }] };
  }
  if (sentinelElecting(facts)) return { actions: [], state: "handover", stop: true };
  if (facts.at < memory.handoverNotBefore) return { actions: [], state: "handover" };
  const all = handoverCandidates(facts, truth.address);
  const candidates = truth.member.pod.terminating || truth.member.pod.orphan ? all : askedFor(context, all);
  // A cordoned node alone is no reason to move to another cordoned node, nor a full disk to move to another one.
  const voluntary = asked === undefined && !truth.member.pod.terminating && !truth.member.pod.orphan;
  if (typeof candidates === "string") return impossible(context, candidates, asked !== undefined);
  const fit = voluntary ? candidates.filter(({ member, redis }) => !member.pod.nodeGoing && !redis.cannotSave) : candidates;
  if (fit.length === 0) {
    return voluntary ? NOTHING : impossible(context, `${why}, but no replica has its link up`, asked !== undefined);
  }
  // The act pauses writes before it asks for votes: not even begun where they can't be won.
  const needed = majority(facts);
  const bySentinel = facts.settings.promotion === "sentinel";
  const watching = bySentinel ? monitoring(facts) : electors(facts, truth.address);
  if (watching.length < needed) {
    return impossible(context, `${why}, but only ${watching.length} sentinels of ${needed} needed can vote`, asked !== undefined);
  }
  if (!proxiesAreReady(context, truth.member.pod, handoverWanted.since))
    return { actions: [], state: "handover", memory: { handoverWanted } };
  if (bySentinel && typeof asked === "string" && facts.members.some(({ pod }) => pod.name === asked)) {
    return impossible(context, `${why}, but with promotion: sentinel it is Sentinel that chooses the pod; ask for "any"`, true);
  }
  const eligible = bySentinel ? sentinelMayChoose(facts, truth.address) : fit;
  if (typeof eligible === "string") return impossible(context, `${why}, but ${eligible}`, asked !== undefined);
  const chosen = eligible[0];
  // A request that names nobody is over with one try: it would move the master on and on.
  const over = asked !== undefined && !facts.members.some(({ pod }) => pod.name === asked);
  return {
    actions: [
      {
        kind: "handover",
        by: bySentinel ? "sentinel" : "votes",
        from: truth.member,
        candidates: eligible.map(({ member }) => member),
        others: redisUp(facts)
          .filter(({ member, redis }) => member !== chosen?.member && redis.role === "replica" && addressOf(member) !== undefined)
          .map(({ member }) => member),
        sentinels: (bySentinel ? bestInformed(watching, eligible) : watching).map(({ member }) => member),
        votes: needed,
        epoch: Math.max(highestEpoch(facts), truth.epoch) + 1,
        cause: why,
      },
      ...(over
        ? [{ kind: "mark-service" as const, halted: facts.masterService?.halted, clearRequests: ["handover" as const] }]
        : []),
    ],
    state: "handover",
    stop: true,
  };
};

function impossible({ facts }: Context, message: string, clear: boolean): Step {
  return {
    actions: clear ? [{ kind: "mark-service", halted: facts.masterService?.halted, clearRequests: ["handover"] }] : [],
    notices: [{ reason: REASON.HandoverImpossible, message }],
    state: "handover",
  };
}
