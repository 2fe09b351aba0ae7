/** Which replica shall be the next master. Pure; one order for failover and handover. */
import type { Address, GroupFacts, MemberFact } from "../../model/facts.ts";
import { addressOf, lostForMs, type RedisMember, redisUp, sameAddress } from "./view.ts";

/** What INFO says of the offset of a replica that has no master to go on from, as after a copy that failed (replication.c, genRedisInfoString). */
const NO_OFFSET = 1;

/**
 * A replica that is still in the line of a lost master's data: same replication history, and an offset in it. Whether INFO calls it syncing does not count: until it
 * loads it has what it had, and its offset says how far that goes (ADR 0056).
 */
export function inLine(one: RedisMember, replid: string): boolean {
  const { redis } = one;
  if (redis.role !== "replica" || redis.loading || redis.offset <= NO_OFFSET) return false;
  return replid === "" || redis.replid === replid || redis.replid2 === replid;
}

/** Replicas that lost their link longer before the master was lost than this are stale: fresher data may exist elsewhere, ms. */
const STALE_LINK_MS = 15_000;

/**
 * A replica that falls silent just when the master is lost may have more than those that answer. It is waited for so long, ms: what the network lost TCP
 * sends again after 0.2, 0.4 and 0.8 s.
 */
export const SILENT_HEIR_MS = 1000;

/**
 * Replicas that a failover may choose from: in line, and hearing from the master until it was lost. One that was started since, or cut off for long, may be
 * older than what others have, and is left to `recover`.
 * @param lostAt when the master was lost
 */
export function fitForFailover(facts: GroupFacts, replid: string, lostAt: number | undefined): RedisMember[] {
  const lostFor = lostForMs(facts, lostAt);
  const fit = redisUp(facts).filter((one) => isFit(one, replid, lostFor));
  // Offsets of several histories say nothing of each other: then no empty node is taken before one with data.
  const data = replid === "" ? fit.filter(({ redis }) => redis.keys > 0) : [];
  return data.length > 0 ? data : fit;
}

/**
 * Replicas that were fit when they were last heard, and that have been silent only since about the loss of the master: nobody knows yet how far they got. Empty
 * when the master was lost longer ago than they are waited for. Nobody listening is no silence: what such a process had is gone.
 */
export function silentHeirs(facts: GroupFacts, replid: string, lostAt: number | undefined): MemberFact[] {
  const lostFor = lostForMs(facts, lostAt);
  if (lostFor >= SILENT_HEIR_MS) return [];
  return facts.members.filter((member) => {
    const { pod, redis } = member;
    if (
      pod.ended ||
      pod.containerEnded ||
      redis === undefined ||
      (redis.state !== "timeout" && redis.state !== "unknown") ||
      redis.last === undefined
    )
      return false;
    return redis.forMs < lostFor + SILENT_HEIR_MS && isFit({ member, redis: redis.last }, replid, lostFor);
  });
}

function isFit(one: RedisMember, replid: string, lostFor: number): boolean {
  return (
    inLine(one, replid) &&
    !one.member.pod.orphan &&
    one.member.pod.settings.priority !== 0 &&
    one.redis.linkDownMs <= lostFor + STALE_LINK_MS
  );
}

/** A pod that will probably still be here in a minute. */
export function willStay(member: MemberFact): boolean {
  return !member.pod.terminating && !member.pod.orphan && !member.pod.nodeGoing;
}

/** The pod template that the workload is moving to: that of the pod made last. */
export function newestRevision(facts: GroupFacts): string {
  const pods = facts.members.filter(({ pod }) => pod.hasRedis && !pod.orphan).map(({ pod }) => pod);
  return [...pods].sort((a, b) => b.createdAt - a.createdAt || (a.name < b.name ? -1 : 1))[0]?.revision ?? "";
}

/**
 * Orders candidates: the highest offset first; among equals one with data, one that can take writes, then one that will stay (newest revision, schedulable node, not terminating),
 * then preference (role master, priority: lower is better as in Redis), then name, so that two handlers choose the same.
 * @param byOffset false where the offsets will be made equal first (handover): then staying comes before a few bytes.
 */
export function rank(facts: GroupFacts, candidates: readonly RedisMember[], byOffset: boolean): RedisMember[] {
  const newest = newestRevision(facts);
  const score = ({ member, redis }: RedisMember): number =>
    (redis.keys > 0 ? 32 : 0) +
    (redis.cannotSave ? 0 : 16) +
    (willStay(member) ? 8 : 0) +
    (member.pod.revision === newest ? 4 : 0) +
    (member.pod.role === "master" ? 2 : 0) +
    (member.pod.role === "auto" ? 1 : 0);
  return [...candidates].sort((a, b) => {
    if (byOffset && a.redis.offset !== b.redis.offset) return b.redis.offset - a.redis.offset;
    return (
      score(b) - score(a) ||
      (a.member.pod.settings.priority ?? 100) - (b.member.pod.settings.priority ?? 100) ||
      b.redis.offset - a.redis.offset ||
      (a.member.pod.name < b.member.pod.name ? -1 : 1)
    );
  });
}

/**
 * It has heard all that the master at this address has written, and has no key where that has some: no copy of it, whatever its link says. One that is behind may
 * well be empty for the moment.
 */
export function lacksData(facts: GroupFacts, { redis }: RedisMember, master: Address): boolean {
  if (redis.keys > 0) return false;
  const from = redisUp(facts).find(({ member }) => sameAddress(addressOf(member), master))?.redis;
  return from !== undefined && from.keys > 0 && redis.offset >= from.offset;
}

/** Replicas of a living master that could take over without loss: link up, no full copy going on, not about to go themselves, not empty beside its data. */
export function handoverCandidates(facts: GroupFacts, master: Address): RedisMember[] {
  const able = redisUp(facts).filter(
    ({ member, redis }) =>
      redis.role === "replica" &&
      sameAddress(redis.master, master) &&
      redis.linkUp &&
      !redis.syncing &&
      !redis.loading &&
      !member.pod.terminating &&
      !member.pod.orphan &&
      !member.pod.ended &&
      member.pod.settings.priority !== 0,
  );
  return rank(
    facts,
    able.filter((one) => !lacksData(facts, one, master)),
    false,
  );
}
