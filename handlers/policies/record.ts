/** The record on the master Service is gone (a person deleted the Service) while there is no master: what the sentinels know is written down again. */
import { REASON } from "../../model/reasons.ts";
import { toChoose } from "./person.ts";
import { NOTHING, type Policy } from "./policy.ts";
import { lostForMs, majority, memberAt, monitoring, nameOf, redisUp, sameAddress, sentinelElecting } from "./view.ts";

/** So long the sentinels that do not answer yet are waited for, ms. */
const PATIENCE_MS = 15_000;

/**
 * Without a record neither `failover` nor `recover` may choose, and `bootstrap` may not while sentinels name a master. With one that says what a majority of the
 * sentinels says they go on as if the Service had never been away. What a minority says is no ground: then a person must choose.
 */
export const record: Policy = ({ facts, truth, memory }) => {
  const service = facts.masterService;
  if (!facts.leading || service === undefined || service.record !== undefined || truth.kind !== "named") return NOTHING;
  // A Service that was given back has no record either, and nobody stays who would need one.
  if (facts.members.every(({ pod }) => pod.terminating || pod.ended || !pod.hasRedis) || sentinelElecting(facts)) return NOTHING;
  const { address } = truth;
  const naming = monitoring(facts).filter(({ master }) => sameAddress(master.address, address));
  if (naming.length >= majority(facts)) {
    const member = memberAt(facts, address);
    const message = `Service ${service.name} had no record of a master; ${naming.length} sentinels name ${member === undefined ? address.ip : nameOf(member)}`;
    return {
      actions: [{ kind: "restore-record", address, pod: member?.pod, epoch: truth.epoch }],
      notices: [{ reason: REASON.RecordRestored, message }],
      state: "masterless",
      stop: true,
    };
  }
  if (lostForMs(facts, memory.lostAt) < PATIENCE_MS) return { actions: [], state: "masterless" };
  const pods = redisUp(facts).map(({ member, redis }) => `${member.pod.name} (${redis.keys} keys)`);
  const message =
    `Service ${service.name} has no record of a master, and only ${naming.length} sentinels name one (${address.ip}), ${majority(facts)} are needed to believe it; ` +
    `choose one of ${pods.join(", ")} with: ${toChoose(service.name)}`;
  return {
    actions: [{ kind: "mark-service", halted: `${REASON.HaltedRecordMissing}: ${message}`, clearRequests: [] }],
    notices: [{ reason: REASON.HaltedRecordMissing, message }],
    state: "halted",
    stop: true,
  };
};
