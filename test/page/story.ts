/** Groups for the page as the handlers would show them, without a cluster: facts in the scenarios' language, judged by the real policies. Time is given, so that a test sees the same every time. */
import type { Timeline } from "../../handlers/act/timeline.ts";
import type { GroupView } from "../../handlers/group.ts";
import { decide, freshMemory } from "../../handlers/policies/decide.ts";
import type { GroupFacts, MasterRecord } from "../../model/facts.ts";
import type { Memory } from "../../model/plan.ts";
import { expand, type Situation } from "../scenarios/expand.ts";

export interface Told {
  readonly namespace: string;
  readonly cluster: string;
  readonly situation: Situation;
  readonly leading?: boolean;
  readonly since?: { readonly at: number; readonly reason: string };
  readonly history?: readonly MasterRecord[];
  readonly timelines?: readonly Timeline[];
}

/** The view of one group, as read at `at`. `memory` is what the loop remembered of the round before. */
export function viewOf(told: Told, at: number, memory: Memory = freshMemory(at - 600_000)): GroupView & { memory: Memory } {
  const { namespace, cluster, situation, timelines = [] } = told;
  const plain = expand({ ...situation, leading: told.leading ?? true });
  const service = plain.masterService;
  const record = service?.record;
  const facts: GroupFacts = {
    ...plain,
    group: { namespace, cluster },
    at,
    members: plain.members.map((member) => ({ ...member, pod: { ...member.pod, createdAt: at - 7_400_000 } })),
    masterService:
      service === undefined
        ? undefined
        : {
            ...service,
            name: `${cluster}-master`,
            history: told.history ?? [],
            record:
              record === undefined || told.since === undefined
                ? record
                : { ...record, since: new Date(told.since.at).toISOString(), reason: told.since.reason },
          },
  };
  const plan = decide(facts, memory);
  return { group: { namespace, cluster }, facts, plan, timelines, memory: plan.memory };
}

/** A history entry. */
export const reign = (pod: string, at: number, reason: string, epoch: number): MasterRecord => ({
  pod,
  uid: `uid-${pod}`,
  instance: `i-${pod}`,
  ip: "10.0.0.1",
  epoch,
  since: new Date(at).toISOString(),
  reason,
});

export const failover = (at: number, from: string, to: string): Timeline => ({
  kind: "failover",
  cause: `${from} is dead: it refuses connections, and 2 of its 2 replicas lost their link to it`,
  startedAt: new Date(at).toISOString(),
  from,
  to,
  outcome: "done",
  steps: [
    { step: "voted", ms: 3.1 },
    { step: "promoted", ms: 4.6 },
    { step: "agreed", ms: 12.8 },
    { step: "patched", ms: 21.4 },
    { step: "endpoint", ms: 58.2 },
  ],
});

export const handover = (at: number, from: string, to: string): Timeline => ({
  kind: "handover",
  cause: `${from} is being deleted`,
  startedAt: new Date(at).toISOString(),
  from,
  to,
  outcome: "done",
  steps: [
    { step: "paused", ms: 0.9 },
    { step: "equal", ms: 1.7 },
    { step: "voted", ms: 4.4 },
    { step: "promoted", ms: 5.6 },
    { step: "agreed", ms: 13.9 },
    { step: "demoted", ms: 14.8 },
    { step: "patched", ms: 24.1 },
    { step: "routed", ms: 96.3 },
    { step: "cut", ms: 97 },
  ],
});
