/** Sentinels watch the right master with the right settings, have a stable slot each, and know nobody but the living. */
import type { Address, GroupFacts, MemberFact, Monitored, PeerSeen, PodFact } from "../../model/facts.ts";
import type { Action, SentinelSettings } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { type Context, NOTHING, type Policy, type Step } from "./policy.ts";
import { CLAIMED } from "./route.ts";
import { monitoring, redisMembers, redisUp, sameAddress, sentinelElecting, sentinelMembers, sentinelsUp } from "./view.ts";

/** During a rollout a new pod waits this long for the slot of the one that it replaces, ms; then it gets one of its own. */
export const SLOT_PATIENCE_MS = 30_000;
/** A slot that was written is visible on the watch by then, or the write failed and is tried again, ms. */
export const SLOT_SEEN_MS = 3_000;
/** An entry that belongs to nobody living is forgotten after this time, ms: a new pod may be known to the sentinels before the watch tells us of it. */
export const GHOST_PATIENCE_MS = 5_000;
/** One sentinel at a time forgets, and the next one only after this time, ms: it has learnt the group anew by then (INFO every second, hello every 2 s). */
export const FORGET_INTERVAL_MS = 3_000;

/** A sentinel that is started again for its new slot is given this time to come back with it, ms: the kubelet shows the slot to the pod with its next sync. */
export const RESTART_INTERVAL_MS = 20_000;

/** Sentinels tell each other of a new master within two seconds; a slow machine gets more, ms. */
export const GOSSIP_MS = 10_000;

/**
 * How often the sentinels ping, ms (Sentinel's own: 1000, set by SENTINEL DEBUG, gone after a restart). The clock of down-after starts with the first ping
 * that has no answer: half the period is half the uncertainty. Below about 250 ms replicas' INFO counts as too old in an election (ADR 0007).
 */
export const PING_PERIOD_MS = 500;

/**
 * How often the sentinels ask for INFO, ms (Sentinel's own: 10 s; in a failover 1 s, as here). By it a sentinel that was made to forget learns the living
 * replicas, and all learn of a replica that follows the wrong master (ADR 0014).
 */
export const INFO_PERIOD_MS = 1000;

/** Sentinel's settings for the group: what the annotations say, else majority quorum and every replica at once. */
export function wantedSettings(facts: GroupFacts): SentinelSettings {
  const sentinels = Math.max(1, sentinelMembers(facts).filter(({ pod }) => !pod.terminating).length);
  const replicas = redisMembers(facts).filter(({ pod }) => !pod.terminating && !pod.orphan).length - 1;
  return {
    quorum: facts.settings.quorum ?? Math.floor(sentinels / 2) + 1,
    downAfterMs: facts.settings.downAfterMs,
    failoverTimeoutMs: facts.settings.failoverTimeoutMs,
    parallelSyncs: facts.settings.parallelSyncs ?? Math.max(1, replicas),
  };
}

/** Gives each new sentinel the lowest slot that no living pod holds. */
export const slots: Policy = ({ facts, memory }): Step => {
  if (!facts.leading) return NOTHING;
  const members = sentinelMembers(facts);
  // The watch may be behind what was written a moment ago: two pods with one slot would be two sentinels with one identity.
  const given = new Map([...memory.slotsGiven].filter(([, { at }]) => facts.at - at < SLOT_SEEN_MS));
  const taken = new Set(members.flatMap(({ pod }) => pod.slot ?? given.get(pod.uid)?.slot ?? []));
  const actions: Action[] = [];
  const give = (pod: PodFact): void => {
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    taken.add(slot);
    given.set(pod.uid, { slot, at: facts.at });
    actions.push({ kind: "give-slot", pod, slot });
  };
  for (const pod of doubles(members)) if (!given.has(pod.uid)) give(pod);
  const waiting = members
    .filter(({ pod }) => pod.slot === undefined && !given.has(pod.uid) && !pod.terminating)
    .sort((a, b) => a.pod.createdAt - b.pod.createdAt || (a.pod.name < b.pod.name ? -1 : 1));
  for (const { pod } of waiting) {
    // A rollout or a replacement is on: somebody who holds a slot is about to leave it.
    const going = (one: MemberFact): boolean =>
      one.pod.slot !== undefined && (one.pod.terminating || one.pod.revision !== pod.revision) && one.pod.role === pod.role;
    const size = members.filter((one) => !going(one) && !one.pod.terminating).length;
    if (members.some(going) && facts.at - pod.createdAt < SLOT_PATIENCE_MS && !hasGap(taken, size)) continue;
    give(pod);
  }
  return { actions, memory: { slotsGiven: given } };
};

/** Pods that have a slot that an older one has: two handlers gave it, each from a view in which the other's pod was missing. */
function doubles(members: readonly MemberFact[]): PodFact[] {
  const holder = new Set<number>();
  return [...members]
    .sort((a, b) => a.pod.createdAt - b.pod.createdAt || (a.pod.name < b.pod.name ? -1 : 1))
    .flatMap(({ pod }) => {
      if (pod.slot === undefined) return [];
      if (holder.has(pod.slot)) return pod.terminating ? [] : [pod];
      holder.add(pod.slot);
      return [];
    });
}

/**
 * Two living sentinels with one identity are one voter to their peers, and each other's ghost. The younger one has another slot by now (`slots`); its boot
 * script takes the identity of that when it is started again.
 */
export const identity: Policy = (context): Step => {
  const { facts, memory } = context;
  if (!facts.leading || !calm(context) || facts.at - memory.sentinelRestartedAt < RESTART_INTERVAL_MS) return NOTHING;
  const seen = new Map<string, number | undefined>();
  const twins = sentinelsUp(facts)
    .sort((a, b) => a.member.pod.createdAt - b.member.pod.createdAt || (a.member.pod.name < b.member.pod.name ? -1 : 1))
    .filter(({ member, sentinel }) => {
      const slot = seen.get(sentinel.myId);
      if (slot !== undefined) return member.pod.slot !== undefined && member.pod.slot !== slot;
      seen.set(sentinel.myId, member.pod.slot);
      return false;
    });
  const twin = twins[0];
  if (twin === undefined) return NOTHING;
  const message = `sentinel ${twin.member.pod.name} is started again: another one has its identity, slot ${twin.member.pod.slot} gives it one of its own`;
  return {
    actions: [{ kind: "restart-sentinel", member: twin.member }],
    notices: [{ reason: REASON.SentinelConfigured, message }],
    memory: { sentinelRestartedAt: facts.at },
  };
};

/**
 * A slot that nobody holds, below one that is in use or among as many as there will be sentinels when all who are about to go have gone: a predecessor has left, no
 * need to wait. When all pods of a group are deleted at once, only the last new one waits for the master's.
 */
function hasGap(taken: ReadonlySet<number>, size: number): boolean {
  const highest = Math.max(size, ...[...taken].map((slot) => slot + 1));
  for (let slot = 0; slot < highest; slot += 1) if (!taken.has(slot)) return true;
  return false;
}

/** MONITOR where nobody is watched, hello where an older configuration is believed, SET where settings differ. */
export const sentinels: Policy = ({ facts, truth }): Step => {
  if (truth.kind === "none" || !facts.leading || sentinelElecting(facts)) return NOTHING;
  if (truth.kind === "named") return { actions: newVoters(facts, truth) };
  if (truth.member.pod.orphan) return NOTHING;
  const wanted = wantedSettings(facts);
  const actions: Action[] = [];
  for (const { member, sentinel } of sentinelsUp(facts)) {
    const master = sentinel.master;
    if (master === undefined) {
      actions.push({ kind: "monitor", member, master: truth.address, settings: wanted, replace: false });
    } else if (!sameAddress(master.address, truth.address)) {
      // A peer is needed as the apparent sender of the hello; a sentinel that knows none is told by REMOVE and MONITOR.
      const alone = master.sentinels.length === 0 || master.configEpoch >= truth.epoch;
      // Without our hello its peers tell it within two seconds: only one that they don't reach is monitored anew.
      if (!alone && facts.settings.promotion === "sentinel" && young(facts)) continue;
      if (alone || facts.settings.promotion === "sentinel")
        actions.push({ kind: "monitor", member, master: truth.address, settings: wanted, replace: true });
      else actions.push({ kind: "hello", member, master: truth.address, epoch: truth.epoch });
    } else {
      const settings = differing(master, wanted);
      const periods = {
        ...(slower(sentinel.pingPeriodMs, PING_PERIOD_MS) ? { pingPeriodMs: PING_PERIOD_MS } : {}),
        ...(slower(sentinel.infoPeriodMs, INFO_PERIOD_MS) ? { infoPeriodMs: INFO_PERIOD_MS } : {}),
      };
      if (Object.keys(settings).length + Object.keys(periods).length > 0)
        actions.push({ kind: "set-sentinel", member, settings, periods });
    }
  }
  return { actions };
};

/**
 * A sentinel that came up without a peer to learn from, while the master is lost: it is told what the others watch, else the majority that an election
 * needs might never come together again. Not on the word of a sentinel that is older than the record, or where there is no record: it would win a majority
 * for what may be an old file.
 */
function newVoters(
  facts: GroupFacts,
  { address: named, epoch }: { readonly address: Address; readonly epoch: number },
): Action[] {
  const record = facts.masterService?.record;
  if (record === undefined || record.reason === CLAIMED || epoch < record.epoch) return [];
  if (!monitoring(facts).some(({ master }) => sameAddress(master.address, named))) return [];
  const settings = wantedSettings(facts);
  return sentinelsUp(facts)
    .filter(({ sentinel }) => sentinel.master === undefined)
    .map(({ member }) => ({ kind: "monitor", member, master: named, settings, replace: false }));
}

/** A server that does not tell its periods (Redis 6.2) can't be given any. */
const slower = (has: number | undefined, wanted: number): boolean => has !== undefined && has !== wanted;

/** The master became master so lately that Sentinel's own gossip may still be under way. */
function young(facts: GroupFacts): boolean {
  const since = facts.masterService?.record?.since;
  return since !== undefined && facts.at - Date.parse(since) < GOSSIP_MS;
}

function differing(has: Monitored, wanted: SentinelSettings): Partial<SentinelSettings> {
  return {
    ...(has.quorum === wanted.quorum ? {} : { quorum: wanted.quorum }),
    ...(has.downAfterMs === wanted.downAfterMs ? {} : { downAfterMs: wanted.downAfterMs }),
    ...(has.failoverTimeoutMs === wanted.failoverTimeoutMs ? {} : { failoverTimeoutMs: wanted.failoverTimeoutMs }),
    ...(has.parallelSyncs === wanted.parallelSyncs ? {} : { parallelSyncs: wanted.parallelSyncs }),
  };
}

interface Ghost {
  readonly key: string;
  readonly member: MemberFact;
  readonly monitored: Monitored;
  readonly peer: PeerSeen;
}

/** Entries of sentinels and replicas whose address belongs to no living pod of the group, and former identities of living sentinels. */
export function ghosts(facts: GroupFacts): Ghost[] {
  const living = new Set(facts.members.filter(({ pod }) => !pod.ended && pod.ip !== undefined).map(({ pod }) => pod.ip));
  const identities = new Map(sentinelsUp(facts).map(({ member, sentinel }) => [member.pod.ip, sentinel.myId]));
  const former = ({ ip, runId }: PeerSeen): boolean => runId !== "" && identities.has(ip) && identities.get(ip) !== runId;
  return monitoring(facts).flatMap(({ member, sentinel, master }) =>
    [
      ...master.sentinels.filter((peer) => !living.has(peer.ip) || former(peer)),
      ...master.replicas.filter((peer) => !living.has(peer.ip)),
    ].map((peer) => ({ key: `${sentinel.myId} ${peer.runId || "-"} ${peer.ip}`, member, monitored: master, peer })),
  );
}

/**
 * Forgets ghosts, one sentinel at a time, and only when a failover could be won without that one: the master is confirmed and seen up by all
 * who watch, no election is on, and a majority of voters remains besides it (sentinel.c, sentinelGetLeader: whoever was ever seen counts as a voter).
 */
export const forget: Policy = (context): Step => {
  const { facts, truth, memory } = context;
  const seen = ghosts(facts);
  const ghostSince = new Map(seen.map(({ key }) => [key, memory.ghostSince.get(key) ?? facts.at]));
  const remember = { memory: { ghostSince } };
  if (truth.kind !== "confirmed" || !facts.leading || !calm(context)) return { actions: [], ...remember };
  if (facts.at - memory.forgotAt < FORGET_INTERVAL_MS) return { actions: [], ...remember };
  const old = seen.filter(({ key }) => facts.at - (ghostSince.get(key) ?? facts.at) >= GHOST_PATIENCE_MS);
  const first = old[0];
  if (first === undefined) return { actions: [], ...remember };
  const mine = old.filter(({ member }) => member === first.member);
  const names = mine.map(({ peer }) => peer.ip);
  const watching = monitoring(facts).map(({ member }) => member);
  const peers = sentinelMembers(facts).filter((one) => one !== first.member && watching.includes(one));
  return {
    actions: [{ kind: "forget", member: first.member, ghosts: names, monitored: first.monitored, peers }],
    notices: [
      {
        reason: REASON.SentinelGhostForgotten,
        message: `sentinel ${first.member.pod.name} forgets ${names.join(", ")}: no living pod has that address`,
      },
    ],
    memory: { ghostSince, forgotAt: facts.at },
  };
};

function calm({ facts, truth }: Context): boolean {
  const watching = monitoring(facts);
  if (truth.kind !== "confirmed" || sentinelElecting(facts)) return false;
  const agreed = watching.filter(
    ({ master }) =>
      sameAddress(master.address, truth.address) && !master.flags.some((flag) => flag === "s_down" || flag === "o_down"),
  );
  // One that was made to forget learns its replicas from the master's next INFO, up to 10 s later: until then it could not fail over.
  const replicas = redisUp(facts).filter(
    ({ member, redis }) => member !== truth.member && redis.role === "replica" && redis.linkUp,
  );
  const whole = watching.every(({ master }) =>
    replicas.every(({ member }) => master.replicas.some((peer) => peer.ip === member.pod.ip && peer.port === member.pod.port)),
  );
  return whole && agreed.length === watching.length && watching.length === sentinelMembers(facts).length;
}
