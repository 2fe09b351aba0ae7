/** Small readings of a group's facts that several policies share. All pure. */
import type { Address, GroupFacts, MemberFact, Monitored, PodFact, RedisUp, SentinelUp } from "../../model/facts.ts";

export interface RedisMember {
  readonly member: MemberFact;
  readonly redis: RedisUp;
}

export interface SentinelMember {
  readonly member: MemberFact;
  readonly sentinel: SentinelUp;
}

export interface MonitoringMember extends SentinelMember {
  readonly master: Monitored;
}

export const sameAddress = (a: Address | undefined, b: Address | undefined): boolean =>
  a !== undefined && b !== undefined && a.ip === b.ip && a.port === b.port;

/** Where a member's redis listens, or undefined while the pod has no IP. */
export function addressOf(member: MemberFact): Address | undefined {
  return member.pod.ip === undefined ? undefined : { ip: member.pod.ip, port: member.pod.port };
}

/** Its processes may run on (a lost node, a forced deletion); or its address is anybody's by now. */
const isOver = ({ ended, orphan }: PodFact): boolean => ended || orphan;

/**
 * What answers at a member's address, if that is the member's own process. The boot report carries the pod's UID: an address that was handed to another pod a moment
 * ago is not this member. A server without one, started by somebody else than our boot script, is believed where the pod lives, and nowhere else.
 */
export function ownRedis({ pod, redis }: MemberFact): RedisUp | undefined {
  if (redis?.state !== "up") return undefined;
  const own = redis.report === undefined ? !isOver(pod) : redis.report.podUid === pod.uid;
  return own ? redis : undefined;
}

/** Members whose own redis answered. */
export function redisUp(facts: GroupFacts): RedisMember[] {
  return facts.members.flatMap((member) => {
    const redis = ownRedis(member);
    return redis === undefined ? [] : [{ member, redis }];
  });
}

/** Pods that run, or will run, a redis of the group. */
export function redisMembers(facts: GroupFacts): MemberFact[] {
  return facts.members.filter((member) => member.pod.hasRedis && !member.pod.ended);
}

/** Pods that run, or will run, a sentinel of the group. */
export function sentinelMembers(facts: GroupFacts): MemberFact[] {
  return facts.members.filter((member) => member.pod.hasSentinel && !member.pod.ended && !member.pod.orphan);
}

/**
 * Sentinels that answered and are not in TILT (a sentinel in TILT knows that it can't be trusted). One that watches nobody has nothing to misjudge, and leaves TILT only
 * when it is given somebody to watch (sentinel.c, sentinelHandleRedisInstance): it counts as the others that wait do. But not where its pod is over: who it is shows only by what it watches.
 */
export function sentinelsUp(facts: GroupFacts): SentinelMember[] {
  const found: SentinelMember[] = [];
  for (const member of facts.members) {
    const { sentinel } = member;
    if (sentinel?.state !== "up") continue;
    const left = sentinel.master === undefined ? isOver(member.pod) : sentinel.tilt;
    if (!left) found.push({ member, sentinel });
  }
  return found;
}

/** Sentinels that answered, are not in TILT and watch this group. */
export function monitoring(facts: GroupFacts): MonitoringMember[] {
  const found: MonitoringMember[] = [];
  for (const { member, sentinel } of sentinelsUp(facts)) {
    if (sentinel.master !== undefined) found.push({ member, sentinel, master: sentinel.master });
  }
  return found;
}

/**
 * Sentinels whose votes can be asked for when the master at `address` is to be replaced: those that watch the group, and those in TILT that name this master. TILT
 * keeps a sentinel from judging and acting for 30 s, not from voting and from taking a new configuration (sentinel.c, is-master-down-by-addr, sentinelProcessHelloMessage).
 */
export function electors(facts: GroupFacts, address: Address): MonitoringMember[] {
  const tilted = facts.members.flatMap((member): MonitoringMember[] => {
    const { sentinel } = member;
    if (sentinel?.state !== "up" || !sentinel.tilt || !sameAddress(sentinel.master?.address, address)) return [];
    return sentinel.master === undefined ? [] : [{ member, sentinel, master: sentinel.master }];
  });
  return [...monitoring(facts), ...tilted];
}

/**
 * How many sentinels have a vote: Sentinel counts every peer that it has ever seen plus itself (sentinel.c L4704),
 * so ghosts count too, and so do living pods that nobody answers for. A pod that still waits for its slot has never been a sentinel: during a roll-out the surge pod
 * waits for the slot of the one that it replaces.
 */
export function voters(facts: GroupFacts): number {
  const known = monitoring(facts).map(({ master }) => master.sentinels.length + 1);
  const members = sentinelMembers(facts).filter(({ pod, sentinel }) => pod.slot !== undefined || sentinel?.state === "up");
  return Math.max(1, members.length, ...known);
}

/** Votes that make a majority of all who have one. */
export function majority(facts: GroupFacts): number {
  return Math.floor(voters(facts) / 2) + 1;
}

/** More than half of the sentinels that live. */
export function livingMajority(facts: GroupFacts): number {
  return Math.floor(sentinelMembers(facts).length / 2) + 1;
}

/**
 * Enough sentinels answer that no election can have been won without one of them: a demotion never rests on what a small part of them says. A group
 * that has no sentinel at all goes by the record.
 */
export function quorumReached(facts: GroupFacts): boolean {
  return sentinelMembers(facts).length === 0 || sentinelsUp(facts).length >= livingMajority(facts);
}

/** Highest epoch that anybody in the group speaks of. */
export function highestEpoch(facts: GroupFacts): number {
  const epochs = monitoring(facts).map(({ master }) => master.configEpoch);
  return Math.max(0, facts.epochHeard, facts.masterService?.record?.epoch ?? 0, ...epochs);
}

/** A sentinel says that a failover of this group is under way. */
export function sentinelElecting(facts: GroupFacts): boolean {
  return monitoring(facts).some(({ master }) => master.flags.includes("failover_in_progress"));
}

/** `ns/pod (ip)` for messages. */
export function nameOf(member: MemberFact): string {
  return podName(member.pod);
}

const podName = ({ name, ip }: PodFact): string => `${name} (${ip ?? "no address yet"})`;

/** What is told of a bootstrap, whoever ends it. */
export const firstMaster = (pod: PodFact): string => `${podName(pod)} is the first master of the group`;

/** The member that has this address now; orphans last, since an address belongs to its living pod first. */
export function memberAt(facts: GroupFacts, address: Address): MemberFact | undefined {
  const all = facts.members.filter((member) => sameAddress(addressOf(member), address) && member.pod.hasRedis);
  return all.find((member) => !member.pod.orphan && !member.pod.ended) ?? all[0];
}

/** Whose address it is, or was, as people know it: the pod that the record names with it, else the member there, else the address itself. */
export function nameAt(facts: GroupFacts, address: Address): string {
  const record = facts.masterService?.record;
  return record?.ip === address.ip ? record.pod : (memberAt(facts, address)?.pod.name ?? address.ip);
}

/** For how long the group has had no confirmed master, ms; 0 while it is only now being found out. */
export const lostForMs = (facts: GroupFacts, lostAt: number | undefined): number => facts.at - (lostAt ?? facts.at);
