/** What people and Kubernetes see on the pods: role label, readiness gate, deletion cost. Decides nothing about Redis. */
import type { MemberFact } from "../../model/facts.ts";
import type { Action } from "../../model/plan.ts";
import { type Context, NOTHING, type Policy, type Step } from "./policy.ts";
import { redisMembers, sameAddress } from "./view.ts";

/** A replica counts as caught up when it lacks less than this of the master's stream, bytes. */
export const CAUGHT_UP_BYTES = 1024 * 1024;

/** true: master, or replica whose link is up and that has caught up. undefined: can't be told now, leave the gate as it is. */
export function inSync({ truth }: Context, member: MemberFact): boolean | undefined {
  const { redis } = member;
  if (truth.kind !== "confirmed") return undefined;
  if (member === truth.member) return true;
  if (redis?.state !== "up") return redis?.state === "refused" ? false : undefined;
  if (redis.role === "master") return false;
  const follows = sameAddress(redis.master, truth.address) && redis.linkUp && !redis.syncing && !redis.loading;
  return follows && truth.redis.offset - redis.offset < CAUGHT_UP_BYTES;
}

/** Brings labels and gates in line, on the leader only. */
export const marks: Policy = (context): Step => {
  const { facts, truth } = context;
  if (truth.kind !== "confirmed" || !facts.leading) return NOTHING;
  const actions: Action[] = [];
  for (const member of redisMembers(facts)) {
    if (member.pod.orphan) continue;
    const role = member === truth.member ? "master" : "replica";
    const synced = member.pod.hasGate ? inSync(context, member) : undefined;
    const newRole = member.pod.roleLabel === role ? undefined : role;
    const newSync = synced === undefined || synced === member.pod.inSync ? undefined : synced;
    if (newRole !== undefined || newSync !== undefined)
      actions.push({ kind: "mark-pod", pod: member.pod, role: newRole, inSync: newSync });
  }
  return { actions };
};
