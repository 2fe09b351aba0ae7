/** Route first (law 4): as soon as one master is confirmed, the master Service leads to it, whatever the rest of the group does. */
import { LABEL } from "../../model/names.ts";
import type { Memory, Notice } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { type Context, NOTHING, type Policy, type Step } from "./policy.ts";
import { memberAt, nameOf, sameAddress } from "./view.ts";

/** A record made by `claim`: the first master is chosen but not yet confirmed. */
export const CLAIMED = REASON.WaitingForPods;

/** Somebody who resets the selector as soon as it is repaired gets no race: so many repairs come at once, then one in this time, until there was peace, ms. */
const AT_ONCE = 3;
const EVERY_MS = 1000;
const PEACE_MS = 10_000;

/** How often the Service was moved to this master, this time included; undefined: not now, there is a fight. */
function nextMove({ facts, truth, memory }: Context): Memory["moved"] {
  if (truth.kind !== "confirmed") return undefined;
  const { uid } = truth.member.pod;
  const { epoch } = truth;
  const version = facts.masterService?.resourceVersion ?? "";
  const before = memory.moved;
  const last =
    before !== undefined && before.uid === uid && before.epoch === epoch && facts.at - before.at < PEACE_MS ? before : undefined;
  if (last === undefined) return { uid, epoch, version, count: 1, at: facts.at };
  // Our own patch is not to be seen yet.
  if (last.version === version) return last;
  if (last.count >= AT_ONCE && facts.at - last.at < EVERY_MS) return undefined;
  return { uid, epoch, version, count: last.count + 1, at: facts.at };
}

/**
 * Moves the selector to the confirmed master and keeps the record. Runs on every handler replica (the patch is conditional), so that routing never
 * waits for a Lease. A pod that is gone from the API (orphan) can't be selected and is left to `handover`.
 */
export const route: Policy = (context): Step => {
  const { facts, truth, memory } = context;
  const service = facts.masterService;
  if (truth.kind !== "confirmed" || service === undefined || truth.member.pod.orphan) return NOTHING;
  const { pod } = truth.member;
  const selected = service.selector[LABEL.instance];
  const record = service.record;
  // No record and nobody who stays: the Service was just given back (`release`), and this handler does not know it yet.
  if (record === undefined && facts.members.every((member) => member.pod.terminating || !member.pod.hasRedis)) return NOTHING;
  const routed = selected === pod.instance;
  const recorded =
    record !== undefined &&
    record.uid === pod.uid &&
    record.ip === pod.ip &&
    record.epoch >= truth.epoch &&
    // A promotion begins a new history: after a total outage only nodes of that one can be compared by their offsets.
    (record.replid ?? "") === truth.redis.replid &&
    record.reason !== CLAIMED;
  if (routed && recorded) return NOTHING;
  const repaired = !routed && recorded;
  const reason = repaired ? REASON.SelectorRepaired : REASON.MasterRouted;
  const before = facts.members.find((member) => member.pod.instance === selected);
  const previous = before?.pod.ip === undefined ? memory.previous : { ip: before.pod.ip, port: before.pod.port };
  const old = previous === undefined || sameAddress(previous, truth.address) ? undefined : previous;
  const notices: Notice[] = [];
  if (!routed) {
    const message = repaired
      ? `somebody else had changed the selector of Service ${service.name}; it leads to master ${pod.name} again. ` +
        `Who it was is told by: kubectl get service ${service.name} -o yaml --show-managed-fields`
      : `Service ${service.name} leads to ${nameOf(truth.member)}, master by epoch ${truth.epoch}${old === undefined ? "" : `; before: ${memberAt(facts, old)?.pod.name ?? old.ip}`}`;
    notices.push({ reason, message });
  }
  const moved = routed ? memory.moved : nextMove(context);
  if (!routed && moved === undefined) return { actions: [], notices, state: "degraded" };
  return {
    actions: [
      {
        kind: "route",
        pod,
        epoch: truth.epoch,
        reason,
        replid: truth.redis.replid,
        recordOnly: routed,
        previous: routed ? undefined : old,
      },
    ],
    notices,
    memory: { moved },
  };
};
