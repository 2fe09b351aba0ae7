/** decide(facts, memory) → plan: the ordered policies. No I/O, no clock, no randomness (law 3). */
import type { GroupFacts, MemberFact } from "../../model/facts.ts";
import type { Action, Memory, Notice, Plan } from "../../model/plan.ts";
import { adopt, release } from "./adopt.ts";
import { attach, configure } from "./attach.ts";
import { bootstrap } from "./bootstrap.ts";
import { endpoints } from "./endpoints.ts";
import { failover } from "./failover.ts";
import { fence } from "./fence.ts";
import { handover } from "./handover.ts";
import { inherit } from "./inherit.ts";
import { marks } from "./marks.ts";
import { person } from "./person.ts";
import type { Context, Policy, Step } from "./policy.ts";
import { record } from "./record.ts";
import { recover } from "./recover.ts";
import { report } from "./report.ts";
import { route } from "./route.ts";
import { forget, identity, sentinels, slots } from "./sentinels.ts";
import { settings } from "./settings.ts";
import { findTruth, type Truth } from "./truth.ts";
import { sameAddress } from "./view.ts";

/** In this order; one that says `stop` ends the round for those after it, except `always`. */
const POLICIES: readonly Policy[] = [
  slots,
  route,
  person,
  adopt,
  bootstrap,
  record,
  failover,
  recover,
  inherit,
  fence,
  release,
  handover,
  attach,
  configure,
  sentinels,
  identity,
  forget,
];
/** Run in every round: they change nothing in Redis or Sentinel. */
const ALWAYS: readonly Policy[] = [marks, endpoints, report, settings];

/** What a process knows of a group that it has just met. */
export function freshMemory(at: number): Memory {
  return {
    master: undefined,
    lostAt: undefined,
    firstSeenAt: at,
    leadingSince: undefined,
    ghostSince: new Map(),
    forgotAt: 0,
    sentinelRestartedAt: 0,
    quorumLost: false,
    handoverNotBefore: 0,
    handoverWanted: undefined,
    slotsGiven: new Map(),
    previous: undefined,
    inheritedFor: undefined,
    promoteNotBefore: 0,
    promotionsTried: 0,
    endpointsLate: undefined,
    moved: undefined,
  };
}

/** Carries over what the facts say of the master's life, before any policy looks. */
function remember(facts: GroupFacts, truth: Truth, memory: Memory): Memory {
  const leadingSince = facts.leading ? (memory.leadingSince ?? facts.at) : undefined;
  if (truth.kind !== "confirmed") return { ...memory, leadingSince, lostAt: memory.lostAt ?? facts.at };
  return {
    ...memory,
    leadingSince,
    lostAt: undefined,
    promotionsTried: 0,
    previous: sameAddress(memory.master?.address, truth.address) ? memory.previous : (memory.master?.address ?? memory.previous),
    master: {
      uid: truth.member.pod.uid,
      address: truth.address,
      epoch: truth.epoch,
      replid: truth.redis.replid,
      seenAt: facts.at,
    },
  };
}

/** One order for all policies, so that two handlers that read the members in different orders decide the same. */
function byName(a: MemberFact, b: MemberFact): number {
  if (a.pod.name !== b.pod.name) return a.pod.name < b.pod.name ? -1 : 1;
  return a.pod.uid < b.pod.uid ? -1 : 1;
}

/** Returns the plan for one group: what to do, what to say, and what to remember. */
export function decide(observed: GroupFacts, before: Memory): Plan {
  const facts: GroupFacts = { ...observed, members: [...observed.members].sort(byName) };
  const truth = findTruth(facts);
  let memory = remember(facts, truth, before);
  const actions: Action[] = [];
  const notices: Notice[] = [];
  let state: Plan["state"] | undefined;
  const take = (policy: Policy): Step => {
    const context: Context = { facts, truth, memory };
    const step = policy(context);
    actions.push(...step.actions);
    notices.push(...(step.notices ?? []));
    state ??= step.state;
    memory = { ...memory, ...step.memory };
    return step;
  };
  for (const policy of POLICIES) if (take(policy).stop === true) break;
  for (const policy of ALWAYS) take(policy);
  return { actions, notices, state: state ?? "ok", memory };
}
