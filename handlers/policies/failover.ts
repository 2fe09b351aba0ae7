/** The master's process is surely dead: promote now instead of waiting for down-after. A silence is never proof. */
import type { MemberFact } from "../../model/facts.ts";
import { LABEL } from "../../model/names.ts";
import type { Memory } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { wayOf } from "./attempts.ts";
import { type Context, NOTHING, type Policy, type Step } from "./policy.ts";
import { begunPromotions, proof } from "./proof.ts";
import { CLAIMED } from "./route.ts";
import { fitForFailover, rank, SILENT_HEIR_MS, silentHeirs } from "./successor.ts";
import {
  addressOf,
  electors,
  highestEpoch,
  lostForMs,
  majority,
  monitoring,
  nameOf,
  ownRedis,
  redisUp,
  sameAddress,
  sentinelElecting,
  sentinelMembers,
} from "./view.ts";

/** An unanswered master is told to people after this time, ms. */
const TELL_AFTER_MS = 1000;

export const failover: Policy = (context): Step => {
  const { facts, truth, memory } = context;
  if (truth.kind !== "named") return NOTHING;
  const record = facts.masterService?.record;
  if (record === undefined || record.reason === CLAIMED) return NOTHING;
  const watching = electors(facts, truth.address);
  if (watching.length === 0) return NOTHING;

  const replid = memory.master?.replid ?? record.replid ?? "";
  const begun = begunPromotions(facts, replid);
  const why = proof(facts, truth.member, truth.address, begun);
  const candidates = rank(facts, begun.length > 0 ? begun : fitForFailover(facts, replid, memory.lostAt), true);
  const elected = electedBySentinel(context);
  if (elected !== undefined) return elected;
  if (why === undefined) return unproven(context, truth.member, truth.address.ip);
  if (!facts.leading) return { actions: [], state: "masterless" };
  if (candidates.length === 0) return NOTHING; // `recover` decides
  if (watching.length < majority(facts)) return tooFewVoters(why, watching.length, majority(facts));
  if (sentinelElecting(facts)) return watch("a sentinel is electing; watching");
  if (facts.at < memory.promoteNotBefore) {
    return watch(`${memory.promotionsTried} promotions came to nothing; Sentinel's own failover goes first for a while`);
  }
  const silent = begun.length > 0 ? [] : silentHeirs(facts, replid, memory.lostAt);
  if (silent.length > 0) return waitForSilent(silent, why);
  const message = `master ${truth.member?.pod.name ?? truth.address.ip} is lost: ${why}`;
  const byAnnotation = facts.settings.promotion === "sentinel";
  // In TILT a sentinel votes, but leads no failover.
  const canLead = byAnnotation || monitoring(facts).length >= majority(facts);
  const way = canLead ? wayOf(memory.promotionsTried, facts.settings) : "votes";
  // Sentinel would choose anybody, and here somebody is master already.
  if (way === "ask" && begun.length === 0) return askSentinel(context, message);
  const everybody = sentinelMembers(facts).every((one) => watching.some(({ member }) => member === one));
  if (byAnnotation && !everybody)
    return watch(
      `${message}; ${begun.map(({ member }) => nameOf(member)).join(", ")} was promoted, and some sentinel can't be told of it; Sentinel decides`,
    );
  const chosen = candidates[0];
  return {
    actions: [
      {
        kind: "promote",
        cause: "failover",
        candidates: candidates.map(({ member }) => member),
        old: truth.address,
        votes: byAnnotation ? 0 : majority(facts),
        epoch: highestEpoch(facts) + 1,
        others: redisUp(facts)
          .filter(({ member, redis }) => member !== chosen?.member && redis.role === "replica")
          .map(({ member }) => member),
        sentinels: watching.map(({ member }) => member),
        // They don't take the hello, but all of them can be told at once: then nobody is left who would win them back.
        ...(everybody && way === "ask" ? { byMonitor: true } : {}),
        ...since(memory),
        reason: REASON.FailedOver,
        message,
      },
    ],
    notices: [{ reason: REASON.MasterDead, message }],
    state: "masterless",
    stop: true,
  };
};

function watch(message: string): Step {
  return { actions: [], state: "masterless", notices: [{ reason: REASON.WaitingForSentinel, message }], stop: true };
}

/**
 * A sentinel leader has promoted its candidate, which says so itself, and will tell the others up to a second later, when INFO has told it (sentinel.c, sentinelRefreshInstanceInfo).
 * Told on in its own epoch, so that all sentinels agree now and the leader's death changes nothing ("FH", ADR 0018).
 * Only while the old master does not answer: a living one is left to the confirmed truth and the fence.
 */
function electedBySentinel({ facts, truth, memory }: Context): Step | undefined {
  if (truth.kind !== "named" || facts.hint === undefined || mayServe(truth.member)) return undefined;
  const { hint } = facts;
  const found = redisUp(facts).find(
    ({ member, redis }) => redis.role === "master" && sameAddress(addressOf(member), hint.address),
  );
  if (found === undefined || found.redis.loading || found.member.pod.orphan) return undefined;
  const epoch = Math.max(facts.epochHeard, truth.epoch + 1);
  const message = `Sentinel elected ${nameOf(found.member)} in epoch ${epoch}`;
  const reason = REASON.FailoverBySentinel;
  const pod = found.member.pod;
  if (!facts.leading || facts.settings.promotion === "sentinel") {
    const { replid } = found.redis;
    const led = facts.masterService?.selector[LABEL.instance] === pod.instance;
    return {
      actions: led
        ? []
        : [{ kind: "route", pod, epoch, reason, replid, recordOnly: false, previous: truth.address, ...since(memory) }],
      state: "masterless",
      stop: true,
    };
  }
  return {
    actions: [
      {
        kind: "promote",
        cause: "failover",
        candidates: [found.member],
        old: truth.address,
        votes: 0,
        epoch,
        others: redisUp(facts)
          .filter(({ member, redis }) => member !== found.member && redis.role === "replica")
          .map(({ member }) => member),
        sentinels: monitoring(facts).map(({ member }) => member),
        ...since(memory),
        reason,
        message,
      },
    ],
    state: "masterless",
    stop: true,
  };
}

const since = ({ lostAt }: Memory): { since?: number } => (lostAt === undefined ? {} : { since: lostAt });

/** A living master, or one that is loading and can't be told from one. A replica at the old master's address takes no writes. */
function mayServe(member: MemberFact | undefined): boolean {
  const redis = member && ownRedis(member);
  return redis !== undefined && (redis.role === "master" || redis.loading);
}

function unproven({ facts, memory }: Context, member: MemberFact | undefined, ip: string): Step {
  // Right after a loss the next attempt to connect is still under way: nothing to tell yet.
  if (lostForMs(facts, memory.lostAt) < TELL_AFTER_MS) return { actions: [], state: "masterless" };
  const message = `master ${member === undefined ? ip : nameOf(member)} does not answer, which is no proof of its death; Sentinel's own detection decides`;
  return { actions: [], notices: [{ reason: REASON.WaitingForSentinel, message }], state: "masterless" };
}

/**
 * Votes that can't be won are not asked for: every try would take the epoch further, and keep those who gave theirs from electing by themselves.
 * `sentinels` meanwhile brings in those who watch nothing yet.
 */
function tooFewVoters(proof: string, watching: number, needed: number): Step {
  const message = `the master is dead: ${proof}; but only ${watching} sentinels of ${needed} needed can vote`;
  return { actions: [], notices: [{ reason: REASON.FailoverImpossible, message }], state: "masterless" };
}

/** Whoever is promoted now could be behind it. It answers soon, or is left out. */
function waitForSilent(silent: readonly MemberFact[], proof: string): Step {
  const names = silent.map(nameOf).join(", ");
  const message = `the master is dead: ${proof}; ${names} may have its last writes and does not answer: waited for up to ${SILENT_HEIR_MS} ms`;
  return { actions: [], notices: [{ reason: REASON.WaitingForReplica, message }], state: "masterless", stop: true };
}

/** Another sentinel at each try, since one may refuse for reasons of its own. */
function askSentinel({ facts, memory }: Context, proof: string): Step {
  const watching = monitoring(facts);
  const chosen = watching[memory.promotionsTried % watching.length];
  if (chosen === undefined) return NOTHING;
  const byAnnotation = facts.settings.promotion === "sentinel";
  const others = watching.filter((one) => one !== chosen).map(({ member }) => member);
  const message = byAnnotation
    ? `${proof}; promotion is left to Sentinel by annotation`
    : `${proof}; our own promotion came to nothing, so Sentinel is asked`;
  return {
    actions: [
      {
        kind: "sentinel-failover",
        sentinel: chosen.member,
        voters: byAnnotation ? [] : others,
        epoch: highestEpoch(facts) + 1,
        message,
      },
    ],
    notices: [{ reason: REASON.MasterDead, message }],
    state: "masterless",
    stop: true,
  };
}
