/** What promoting a pod by hand would mean, or why it can't be done. Pure. */
import { fileTime, isLastMaster, rankByData } from "../../handlers/policies/freshness.ts";
import { findTruth } from "../../handlers/policies/truth.ts";
import { type RedisMember, redisMembers, redisUp } from "../../handlers/policies/view.ts";
import type { GroupFacts } from "../../model/facts.ts";
import { bytes, table } from "../paper.ts";

export interface PromotePlan {
  readonly pod: string;
  readonly service: string;
  readonly lines: readonly string[];
}

/** @returns a sentence instead of a plan when the handlers would refuse */
export function planPromote(facts: GroupFacts, pod: string): PromotePlan | string {
  const name = `${facts.group.namespace}/${facts.group.cluster}`;
  const truth = findTruth(facts);
  if (truth.kind === "confirmed")
    return `${truth.member.pod.name} is master of ${name} and well; to move it: redis-ha switchover ${name} --to ${pod}`;
  const service = facts.masterService;
  if (service === undefined) return `${name} has no master Service yet`;
  const up = redisUp(facts);
  const chosen = up.find(({ member }) => member.pod.name === pod);
  if (chosen === undefined) {
    const running = up.map(({ member }) => member.pod.name).join(", ") || "none";
    return `no running redis of ${name} is called ${pod}; running: ${running}`;
  }
  return {
    pod,
    service: service.name,
    lines: [`${name}: ${pod} becomes master`, ...candidates(facts, up), ...losses(facts, up, chosen)],
  };
}

function candidates(facts: GroupFacts, up: readonly RedisMember[]): string[] {
  const record = facts.masterService?.record;
  const rows = rankByData(up, record).map((one) => [
    `  ${one.member.pod.name}`,
    String(one.redis.keys),
    String(one.redis.offset),
    one.redis.replid.slice(0, 8),
    fileTime(one) === 0 ? "-" : new Date(fileTime(one)).toISOString(),
    record !== undefined && isLastMaster(one, record) ? "last master" : "",
  ]);
  return table([["  POD", "KEYS", "OFFSET", "HISTORY", "FILES OF", ""], ...rows]);
}

/** The worst that is known: what a fresher one has, and who is not here to be asked. */
function losses(facts: GroupFacts, up: readonly RedisMember[], chosen: RedisMember): string[] {
  const record = facts.masterService?.record;
  const lines: string[] = [];
  const fresher = rankByData(up, record)[0];
  if (fresher !== undefined && fresher !== chosen) {
    const behind = fresher.redis.offset - chosen.redis.offset;
    const same = fresher.redis.replid === chosen.redis.replid;
    const keys = fresher.redis.keys - chosen.redis.keys;
    lines.push(
      same
        ? `lost: what ${fresher.member.pod.name} has more: ${bytes(Math.max(0, behind))} of writes, ${keys} keys`
        : `lost: everything that only ${fresher.member.pod.name} has (${fresher.redis.keys} keys; another history, so it can't be counted)`,
    );
  }
  const missing = redisMembers(facts).filter((member) => !up.some((one) => one.member === member));
  if (missing.length > 0)
    lines.push(`lost: what only ${missing.map(({ pod }) => pod.name).join(", ")} may have; they do not answer`);
  if (record !== undefined && !up.some((one) => isLastMaster(one, record)))
    lines.push(
      `lost: what only the last master ${record.pod} had (since ${record.since}); it, or its volume ${record.volume ?? "(none)"}, is not here`,
    );
  if (chosen.redis.keys === 0) lines.push(`lost: everything: ${chosen.member.pod.name} is empty, and the others will copy that`);
  return lines.length === 0
    ? [`lost: nothing that is known: ${chosen.member.pod.name} has the freshest data, and all pods are here`]
    : lines;
}
