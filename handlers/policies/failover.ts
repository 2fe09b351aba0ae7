/** The master's process is surely dead: promote now instead of waiting for down-after. A silence is never proof. */
import type { Address, GroupFacts, MemberFact } from "../../model/facts.ts";
import { REASON } from "../../model/reasons.ts";
import { type Context, NOTHING, type Policy, type Step } from "./policy.ts";
import { CLAIMED } from "./route.ts";
import { fitForFailover, rank } from "./successor.ts";
import { addressOf, highestEpoch, majority, monitoring, nameOf, redisUp, sameAddress, sentinelElecting } from "./view.ts";

/** An unanswered master is told to people after this time, ms. */
const TELL_AFTER_MS = 1000;

/**
 * Proof of death (design, "failover"): our connection closed and a new one is refused, AND a second witness: a replica whose link to the master is
 * down, or the kubelet's report that the container ended. Or: the process at that address is a new one, started by our boot script as a waiting replica.
 * A pod object that is gone, or has the phase Failed, is no proof alone: on a lost node the API server says so while the process runs on.
 * Returns what proves it, or undefined.
 */
export function proofOfDeath(
  facts: GroupFacts,
  dead: MemberFact | undefined,
  address: { ip: string; port: number },
): string | undefined {
  const followers = redisUp(facts).filter(({ redis }) => redis.role === "replica" && sameAddress(redis.master, address));
  const witness = followers.find(({ redis }) => !redis.linkUp)?.member.pod.name;
  if (dead === undefined) {
    const alive = followers.some(({ redis }) => redis.linkUp);
    return witness === undefined || alive ? undefined : `its pod is gone, and replica ${witness} lost its link`;
  }
  const { redis, pod } = dead;
  if (redis?.state === "up") {
    return redis.role === "replica" && !redis.linkUp && !isFollowingMember(facts, redis.master)
      ? "its process was started anew and waits for a master"
      : undefined;
  }
  if (pod.containerEnded && redis?.state !== "timeout") return "the kubelet reports that its container ended";
  if (witness === undefined) return undefined;
  if (redis?.state === "refused") return `connections to it are refused, and replica ${witness} lost its link`;
  if (pod.containerEnded) return `the kubelet reports that its container ended, and replica ${witness} lost its link`;
  if (pod.ended && redis?.state !== "timeout") return `its pod has ended, and replica ${witness} lost its link`;
  return undefined;
}

/**
 * A silence is never our proof, but it is Sentinel's to judge: as many sentinels as the quorum asks for, and a majority of all, each had no answer from the
 * master for down-after (s_down). That is Sentinel's own objectively-down; it would now spend up to two seconds on asking round, on the start of
 * its election and on three ticks of promotion. Not while the master answers us: then the sentinels' network is in question, and they decide alone.
 */
function detectedBySentinels(facts: GroupFacts, member: MemberFact | undefined, address: Address): string | undefined {
  if (member?.redis?.state === "up") return undefined;
  const watching = monitoring(facts).filter(({ master }) => sameAddress(master.address, address));
  const down = watching.filter(({ master }) => master.flags.includes("s_down"));
  const needed = Math.max(majority(facts), ...watching.map(({ master }) => master.quorum));
  return down.length >= needed ? `${down.length} sentinels had no answer from it for down-after` : undefined;
}

function isFollowingMember(facts: GroupFacts, master: { ip: string; port: number } | undefined): boolean {
  return master !== undefined && facts.members.some(({ pod }) => pod.ip === master.ip);
}

export const failover: Policy = (context): Step => {
  const { facts, truth, memory } = context;
  if (truth.kind !== "named") return NOTHING;
  const record = facts.masterService?.record;
  if (record === undefined || record.reason === CLAIMED) return NOTHING;
  if (monitoring(facts).length === 0) return NOTHING;

  const proof = proofOfDeath(facts, truth.member, truth.address) ?? detectedBySentinels(facts, truth.member, truth.address);
  const replid = memory.master?.replid ?? record.replid ?? "";
  // A handler that died between REPLICAOF NO ONE and the sentinels' agreement left a master that nobody names: finish that one. Not so a master of
  // another history: an older one that came back.
  const begun = redisUp(facts).filter(
    ({ redis, member }) =>
      redis.role === "master" &&
      !redis.loading &&
      !member.pod.orphan &&
      (replid === "" || redis.replid === replid || redis.replid2 === replid),
  );
  const candidates = rank(facts, begun.length > 0 ? begun : fitForFailover(facts, replid, memory.lostAt), true);
  const elected = electedBySentinel(context);
  if (elected !== undefined) return elected;
  if (proof === undefined) return unproven(context, truth.member, truth.address.ip);
  if (!facts.leading) return { actions: [], state: "masterless" };
  if (candidates.length === 0) return NOTHING; // `recover` decides
  if (sentinelElecting(facts) || facts.at < memory.promoteNotBefore) {
    return {
      actions: [],
      state: "masterless",
      notices: [{ reason: REASON.WaitingForSentinel, message: "a sentinel is electing; watching" }],
      stop: true,
    };
  }
  if (facts.settings.promotion === "sentinel") return askSentinel(context, proof);
  const chosen = candidates[0];
  const message = `master ${truth.member?.pod.name ?? truth.address.ip} is lost: ${proof}`;
  return {
    actions: [
      {
        kind: "promote",
        cause: "failover",
        candidates: candidates.map(({ member }) => member),
        old: truth.address,
        votes: majority(facts),
        epoch: highestEpoch(facts) + 1,
        others: redisUp(facts)
          .filter(({ member, redis }) => member !== chosen?.member && redis.role === "replica")
          .map(({ member }) => member),
        sentinels: monitoring(facts).map(({ member }) => member),
        reason: REASON.FailedOver,
        message,
      },
    ],
    notices: [{ reason: REASON.MasterDead, message }],
    state: "masterless",
    stop: true,
  };
};

/**
 * A sentinel leader has promoted its candidate, which says so itself, and will tell the others up to a second later (facts/sentinel.md section 1).
 * Told on in its own epoch, so that all sentinels agree now and the leader's death changes nothing ("FH", facts/promotion.md 1c).
 * Only while the old master does not answer: a living one is left to the confirmed truth and the fence.
 */
function electedBySentinel({ facts, truth }: Context): Step | undefined {
  if (truth.kind !== "named" || facts.hint === undefined || truth.member?.redis?.state === "up") return undefined;
  const { hint } = facts;
  const found = redisUp(facts).find(
    ({ member, redis }) => redis.role === "master" && sameAddress(addressOf(member), hint.address),
  );
  if (found === undefined || found.redis.loading || found.member.pod.orphan) return undefined;
  const epoch = Math.max(facts.epochHeard, truth.epoch + 1);
  const message = `Sentinel elected ${nameOf(found.member)} in epoch ${epoch}`;
  const reason = REASON.FailoverBySentinel;
  const pod = found.member.pod;
  if (!facts.leading) {
    const { replid } = found.redis;
    return {
      actions: [{ kind: "route", pod, epoch, reason, replid, recordOnly: false, previous: truth.address }],
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
        reason,
        message,
      },
    ],
    state: "masterless",
    stop: true,
  };
}

function unproven({ facts, memory }: Context, member: MemberFact | undefined, ip: string): Step {
  // Right after a loss the next attempt to connect is still under way: nothing to tell yet.
  if (facts.at - (memory.lostAt ?? facts.at) < TELL_AFTER_MS) return { actions: [], state: "masterless" };
  const message = `master ${member === undefined ? ip : nameOf(member)} does not answer, which is no proof of its death; Sentinel's own detection decides`;
  return { actions: [], notices: [{ reason: REASON.WaitingForSentinel, message }], state: "masterless" };
}

function askSentinel({ facts }: Context, proof: string): Step {
  const sentinel = monitoring(facts)[0];
  if (sentinel === undefined) return NOTHING;
  return {
    actions: [{ kind: "sentinel-failover", sentinel: sentinel.member, message: `the master is dead: ${proof}` }],
    notices: [
      { reason: REASON.MasterDead, message: `the master is dead: ${proof}; promotion is left to Sentinel by annotation` },
    ],
    state: "masterless",
    stop: true,
  };
}
