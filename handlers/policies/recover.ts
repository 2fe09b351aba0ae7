/** All down and back: nobody is master, no election can choose. The freshest data wins, or the group waits and says for what (law 5). */
import type { GroupFacts, MasterRecord, MemberFact } from "../../model/facts.ts";
import type { Action } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { fileTime, grounds, isFromBefore, isLastMaster, rankByData } from "./freshness.ts";
import { toChoose } from "./person.ts";
import { type Context, NOTHING, type Policy, type Step } from "./policy.ts";
import { CLAIMED } from "./route.ts";
import { fitForFailover } from "./successor.ts";
import {
  electors,
  highestEpoch,
  livingMajority,
  lostForMs,
  monitoring,
  nameOf,
  quorumReached,
  type RedisMember,
  redisMembers,
  redisUp,
  sentinelElecting,
  sentinelMembers,
  sentinelsUp,
} from "./view.ts";

/** A silent last master is told of after this time, ms: a restarted node takes a while to be reached. */
const TELL_AFTER_MS = 5000;

/** A pod without a volume that has not come up in this time is not waited for: it has nothing that the others lack, ms. */
const PENDING_PATIENCE_MS = 5000;

/** Its container ran before and is not up again: without a volume of its own it still may have its files, in the pod. */
const mayHaveFiles = ({ pod }: MemberFact): boolean => pod.restarts > 0 || pod.containerEnded;

/**
 * Acts only on a group that was bootstrapped once, has no master, and of whose replicas none heard from it until it was lost (else `failover`'s to
 * decide): all were started anew since, or are stale. A node that says master while nobody names it is ranked like the others. Needs a majority of the sentinels to be reachable, so that a handler on the small side of a partition can't act.
 */
export const recover: Policy = (context): Step => {
  const { facts, truth, memory } = context;
  const record = facts.masterService?.record;
  if (!facts.leading || record === undefined || record.reason === CLAIMED || truth.kind === "confirmed") return NOTHING;
  const up = redisUp(facts).filter(({ member }) => !member.pod.orphan);
  if (sentinelElecting(facts) || facts.hint !== undefined) return NOTHING;
  const silent = silentMaster(context, record);
  if (silent !== undefined) return standStill(context, silent);
  // Somebody still in line with the last master: that is `failover`'s to decide, by votes.
  const replid = memory.master?.replid ?? record.replid ?? "";
  const inLine = replid !== "" && fitForFailover(facts, replid, memory.lostAt).length > 0;
  if (inLine && monitoring(facts).length > 0) return NOTHING;
  if (up.length === 0) return waitFor("no redis of the group answers");
  if (!quorumReached(facts))
    return waitFor(
      `fewer than ${livingMajority(facts)} of ${sentinelMembers(facts).length} sentinels answer; as many must, before a master may be chosen`,
    );
  return choose(context, up, record);
};

function choose({ facts, memory }: Context, up: readonly RedisMember[], record: MasterRecord): Step {
  const lostFor = lostForMs(facts, memory.lostAt);
  const loading = up.filter(({ redis }) => redis.loading);
  if (loading.length > 0) return waitFor(`${loading.map(({ member }) => nameOf(member)).join(", ")} is loading its data`);
  const missing = redisMembers(facts).filter((member) => !member.pod.orphan && !up.some((one) => one.member === member));
  const lasts = up.filter((one) => isLastMaster(one, record));
  const last = lasts.find((one) => one.redis.keys > 0 && !isFromBefore(one, record));
  const volumeAbsent = record.volume !== undefined && lasts.length === 0;
  const best = lastCopy(facts, up) ?? rankByData(up, record)[0];
  if (best === undefined) return NOTHING;
  const service = facts.masterService?.name ?? "";

  if (facts.settings.recovery === "manual") {
    return halt(
      REASON.HaltedManualRecovery,
      `recovery is manual: the freshest is ${nameOf(best.member)} (${grounds(best, record)}); ` +
        `say so with: ${toChoose(service, best.member.pod.name)}`,
    );
  }
  const lacking = best.redis.keys === 0 ? lackingVolume(facts, { up, lasts, missing, record }) : undefined;
  if (last === undefined && lostFor < facts.settings.recoveryWaitMs) {
    const withVolume = missing.filter(({ pod, redis }) => pod.volume !== undefined || redis?.state === "timeout");
    if (volumeAbsent || withVolume.length > 0 || lacking !== undefined) {
      const pods = withVolume.map(({ pod }) => `${pod.volume === undefined ? "" : `volume ${pod.volume} of `}pod ${pod.name}`);
      const what = volumeAbsent ? lastVolume(record) : pods.join(", ") || `a volume with data (${lacking})`;
      const left = Math.round((facts.settings.recoveryWaitMs - lostFor) / 1000);
      return {
        actions: up.flatMap(readyWhileWaiting),
        notices: [
          {
            reason: REASON.WaitingForLastMaster,
            message: `waiting for ${what}, which may hold fresher data, ${Math.ceil(left / 30) * 30} s more at most`,
          },
        ],
        state: "waiting",
        stop: true,
      };
    }
    const pending = missing.filter((one) => lostFor < PENDING_PATIENCE_MS || (best.redis.keys === 0 && mayHaveFiles(one)));
    if (pending.length > 0) return waitFor(`not up yet: ${pending.map(({ pod }) => pod.name).join(", ")}`);
  }
  if (lacking !== undefined) {
    const halted = halt(
      REASON.HaltedDataMissing,
      `no node has data, and ${lacking}; bring the data back, or begin empty with: ${toChoose(service, best.member.pod.name)}`,
    );
    // The pod with the data may be one that is made only when these are Ready.
    return { ...halted, actions: [...halted.actions, ...up.flatMap(readyWhileWaiting)] };
  }
  if (best.redis.keys === 0 && facts.outsidersUnread === true && !facts.members.some(({ pod }) => pod.uid === record.uid))
    return waitFor("no node has data; whether a pod of the workload that runs without redis-ha has it is being asked");
  const message = `${nameOf(best.member)} becomes master after a total outage: ${grounds(best, record)}`;
  return {
    actions: [
      {
        kind: "promote",
        cause: "recovery",
        candidates: [best.member],
        old: undefined,
        votes: 0,
        epoch: highestEpoch(facts) + 1,
        others: redisUp(facts).flatMap(({ member }) => (member === best.member ? [] : [member])),
        sentinels: sentinelsUp(facts).map(({ member }) => member),
        reason: REASON.Recovered,
        message,
      },
    ],
    state: "waiting",
    stop: true,
  };
}

const lastVolume = ({ volume = "", pod }: MasterRecord): string => `volume ${volume} of the last master ${pod}`;

/** Who is here after an outage, and who is not. */
interface Found {
  readonly up: readonly RedisMember[];
  /** of those: the last master's pod, or whatever has its volume */
  readonly lasts: readonly RedisMember[];
  readonly missing: readonly MemberFact[];
  readonly record: MasterRecord;
}

/**
 * Nobody has data: what speaks against beginning empty, in words. A group with volumes may have its data on one that is not here, or on one that was deleted and made
 * anew under its old name. Not so in the pod that was master last, which has its own; nor where the last master's volume came up with files of before: what it
 * had saved is here, and is nothing; nor where nobody saves. A group that halted for that stays so: a server that waits, empty, writes files when it ends.
 */
function lackingVolume({ masterService }: GroupFacts, { up, lasts, missing, record }: Found): string | undefined {
  if (record.volume !== undefined && lasts.length === 0) return `${lastVolume(record)} is not there`;
  if (lasts.some(({ member }) => member.pod.uid === record.uid && member.pod.volume !== undefined)) return undefined;
  if (up.every(({ redis }) => !redis.saves)) return undefined;
  const stands = masterService?.halted?.startsWith(REASON.HaltedDataMissing) === true;
  if (!stands && lasts.some((one) => fileTime(one) > 0)) return undefined;
  const absent = missing.find(({ pod }) => pod.volume !== undefined);
  if (absent !== undefined) return `volume ${absent.pod.volume} of pod ${nameOf(absent)} is not there`;
  const volumes = up.flatMap(({ member }) => member.pod.volume ?? []);
  if (volumes.length === 0) return undefined;
  if (stands) return `what is on ${volumes.join(", ")} was written since`;
  return up.some((one) => fileTime(one) > 0) ? undefined : `no file of before is on ${volumes.join(", ")}: made anew, or emptied`;
}

/**
 * All are empty but a process whose pod was deleted by force: it has not ended yet, and nobody else has the data. It becomes master so that the others can copy, and
 * `handover` then moves the role to one of them.
 */
function lastCopy(facts: GroupFacts, up: readonly RedisMember[]): RedisMember | undefined {
  if (up.some(({ redis }) => redis.keys > 0)) return undefined;
  const orphans = redisUp(facts).filter(({ member, redis }) => member.pod.orphan && redis.keys > 0 && !redis.loading);
  return rankByData(orphans, undefined)[0];
}

/**
 * The last master, by the record or by the sentinels, whose process may still run somewhere: its pod exists and is merely silent. Then nobody may be put
 * in its place here.
 */
function silentMaster({ facts, truth }: Context, record: MasterRecord): MemberFact | undefined {
  const recorded = facts.members.find(({ pod }) => pod.uid === record.uid);
  const named = truth.kind === "named" ? truth.member : undefined;
  return [recorded, named].find((member) => {
    if (member === undefined || member.pod.ended || member.pod.containerEnded) return false;
    // No connection was tried yet, because it has no address: a process without one serves nobody.
    if (member.redis === undefined) return member.pod.ip !== undefined;
    return member.redis.state !== "up" && member.redis.state !== "refused";
  });
}

/**
 * Where sentinels watch it, theirs is the decision, and `failover` tells of it. Where none does, only a person can say that it is gone. A handler that reaches
 * nobody at all says nothing of the master: it may be the only one who is cut off.
 */
function standStill({ facts, truth, memory }: Context, silent: MemberFact): Step {
  if (!quorumReached(facts) || (truth.kind === "named" && electors(facts, truth.address).length > 0)) return NOTHING;
  if (lostForMs(facts, memory.lostAt) < TELL_AFTER_MS) return NOTHING;
  const { name } = silent.pod;
  const message =
    `${nameOf(silent)} was the last master and does not answer; it may still take writes, so nobody is made master beside it. ` +
    `If it is gone for good: kubectl delete pod ${name} --force; or choose: ${toChoose(facts.masterService?.name ?? "")}`;
  return { actions: [], notices: [{ reason: REASON.WaitingForLastMaster, message }], state: "masterless" };
}

/**
 * A StatefulSet that starts one pod after the other waits until each is Ready, and the one with the data may be the last. So those that are up count as
 * Ready while the group waits for others. Only with a volume: without one a roll-out that goes on could delete the only copy of the data.
 */
export function readyWhileWaiting({ member }: RedisMember): Action[] {
  const { pod } = member;
  if (!pod.hasGate || pod.inSync === true || pod.volume === undefined || pod.terminating) return [];
  return [{ kind: "mark-pod", pod, role: undefined, inSync: true }];
}

function waitFor(message: string): Step {
  return { actions: [], notices: [{ reason: REASON.WaitingForPods, message }], state: "waiting", stop: true };
}

function halt(reason: (typeof REASON)[keyof typeof REASON], message: string): Step {
  return {
    actions: [{ kind: "mark-service", halted: `${reason}: ${message}`, clearRequests: [] }],
    notices: [{ reason, message }],
    state: "halted",
    stop: true,
  };
}
