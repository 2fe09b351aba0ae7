/** What proves that the named master is gone for good, or has been replaced already. Pure. A silence is never proof of ours. */
import type { Address, GroupFacts, MemberFact } from "../../model/facts.ts";
import { addressOf, majority, monitoring, nameOf, ownRedis, type RedisMember, redisUp, sameAddress } from "./view.ts";

/**
 * Returns why somebody else may be made master now in place of the one at `address`, in words; undefined: not proven.
 * @param member the pod at that address, if there is one
 * @param begun promotions that were begun, see begunPromotions
 */
export function proof(
  facts: GroupFacts,
  member: MemberFact | undefined,
  address: Address,
  begun: readonly RedisMember[],
): string | undefined {
  return proofOfDeath(facts, member, address, begun) ?? detectedBySentinels(facts, member, address) ?? handedOver(member, begun);
}

/**
 * Proof of death (docs/architecture.md, "The master's process dies"): our connection closed and a new one is refused, AND a second witness: a replica whose link to the master is
 * down, or the kubelet's report that the container ended. Or: the process at that address is a new one, started by our boot script as a waiting replica.
 * A pod object that is gone, or has the phase Failed, is no proof alone: on a lost node the API server says so while the process runs on.
 * Returns what proves it, or undefined.
 * @param begun nodes of the dead master's history that say master though nobody names them: a promotion was begun
 */
function proofOfDeath(
  facts: GroupFacts,
  dead: MemberFact | undefined,
  address: { ip: string; port: number },
  begun: readonly RedisMember[],
): string | undefined {
  const followers = redisUp(facts).filter(({ redis }) => redis.role === "replica" && sameAddress(redis.master, address));
  const lost = followers.find(({ redis }) => !redis.linkUp)?.member.pod.name;
  // Whoever promoted this one had the proof, and sent the witnesses to follow it before it died itself.
  const promoted = begun[0]?.member.pod.name;
  const witness =
    lost !== undefined
      ? `replica ${lost} lost its link`
      : promoted !== undefined
        ? `${promoted} was promoted already`
        : undefined;
  if (dead === undefined) {
    const alive = followers.some(({ redis }) => redis.linkUp);
    return witness === undefined || alive ? undefined : `its pod is gone, and ${witness}`;
  }
  const { redis, pod } = dead;
  const own = ownRedis(dead);
  if (own !== undefined) {
    return own.role === "replica" && !own.linkUp && !isFollowingMember(facts, own.master)
      ? "its process was started anew and waits for a master"
      : undefined;
  }
  if (pod.containerEnded && redis?.state !== "timeout") return "the kubelet reports that its container ended";
  if (witness === undefined) return undefined;
  if (redis?.state === "refused") return `connections to it are refused, and ${witness}`;
  if (pod.containerEnded) return `the kubelet reports that its container ended, and ${witness}`;
  if (pod.ended && redis?.state !== "timeout") return `its pod has ended, and ${witness}`;
  return undefined;
}

/**
 * A silence is never our proof, but it is Sentinel's to judge: as many sentinels as the quorum asks for, and a majority of all, each had no answer from the
 * master for down-after (s_down). That is Sentinel's own objectively-down; it would now spend up to two seconds on asking round, on the start of
 * its election and on three ticks of promotion. Not while the master answers us: then the sentinels' network is in question, and they decide alone.
 */
function detectedBySentinels(facts: GroupFacts, member: MemberFact | undefined, address: Address): string | undefined {
  if (member !== undefined && ownRedis(member) !== undefined) return undefined;
  const watching = monitoring(facts).filter(({ master }) => sameAddress(master.address, address));
  const down = watching.filter(({ master }) => master.flags.includes("s_down"));
  const needed = Math.max(majority(facts), ...watching.map(({ master }) => master.quorum));
  return down.length >= needed ? `${down.length} sentinels had no answer from it for down-after` : undefined;
}

function isFollowingMember(facts: GroupFacts, master: { ip: string; port: number } | undefined): boolean {
  return master !== undefined && facts.members.some(({ pod }) => pod.ip === master.ip);
}

/**
 * A handler that died between REPLICAOF NO ONE and the sentinels' agreement left a master that nobody names: that one is finished. Not so a master of
 * another history: an older one that came back.
 */
export function begunPromotions(facts: GroupFacts, replid: string): RedisMember[] {
  return redisUp(facts).filter(
    ({ redis, member }) =>
      redis.role === "master" &&
      !redis.loading &&
      !member.pod.orphan &&
      (replid === "" || redis.replid === replid || redis.replid2 === replid),
  );
}

/** The named master already follows the one that was promoted: a handover whose handler died before any sentinel had heard. */
function handedOver(old: MemberFact | undefined, begun: readonly RedisMember[]): string | undefined {
  const redis = old && ownRedis(old);
  if (redis?.role !== "replica" || !redis.linkUp) return undefined;
  const heir = begun.find(({ member }) => sameAddress(addressOf(member), redis.master));
  return heir === undefined
    ? undefined
    : `it follows ${nameOf(heir.member)}, which was promoted and is not yet known to the sentinels`;
}
