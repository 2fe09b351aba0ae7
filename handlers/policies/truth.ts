/** Who is master: the voice with the highest epoch, believed only when the server at that address says so itself. Pure. */
import type { Address, GroupFacts, MemberFact, RedisUp } from "../../model/facts.ts";
import { majority, memberAt, monitoring, redisUp, sameAddress } from "./view.ts";

/** confirmed: named and it says so itself. named: somebody names it, but it does not (or can't) confirm. none: nobody names anybody. */
export type Truth =
  | {
      readonly kind: "confirmed";
      readonly member: MemberFact;
      readonly redis: RedisUp;
      readonly address: Address;
      readonly epoch: number;
    }
  | { readonly kind: "named"; readonly member: MemberFact | undefined; readonly address: Address; readonly epoch: number }
  | { readonly kind: "none" };

interface Voice {
  readonly address: Address;
  readonly epoch: number;
}

/**
 * The record on the master Service is a voice only while fewer sentinels than a majority watch the group (bootstrap, all sentinels replaced at once):
 * then a single sentinel with an old file can't outvote it. A majority of sentinels is never outvoted by the record: their epochs may have started anew.
 */
function voices(facts: GroupFacts): Voice[] {
  const heard: Voice[] = monitoring(facts).map(({ master }) => ({ address: master.address, epoch: master.configEpoch }));
  const record = facts.masterService?.record;
  if (record !== undefined && record.ip !== "" && heard.length < majority(facts)) {
    const member = facts.members.find(({ pod }) => pod.uid === record.uid);
    heard.push({ address: { ip: record.ip, port: member?.pod.port ?? facts.settings.port }, epoch: record.epoch });
  }
  return heard;
}

function confirm(facts: GroupFacts, voice: Voice): Truth {
  const member = memberAt(facts, voice.address);
  const up = redisUp(facts).find((one) => one.member === member);
  if (member !== undefined && up !== undefined && up.redis.role === "master" && !up.redis.loading) {
    return { kind: "confirmed", member, redis: up.redis, address: voice.address, epoch: voice.epoch };
  }
  return { kind: "named", member, address: voice.address, epoch: voice.epoch };
}

/**
 * Returns the truth about the master (sentinel.c, sentinelProcessHelloMessage: the higher config-epoch is taken over).
 * Highest epoch wins; among voices of one epoch a confirmed address, else the one with most voices.
 */
export function findTruth(facts: GroupFacts): Truth {
  const heard = voices(facts);
  if (heard.length === 0) return { kind: "none" };
  const epoch = Math.max(...heard.map((voice) => voice.epoch));
  const top = heard.filter((voice) => voice.epoch === epoch);
  const count = (voice: Voice): number => top.filter((other) => sameAddress(other.address, voice.address)).length;
  const ranked = [...top].sort((a, b) => count(b) - count(a)).map((voice) => confirm(facts, voice));
  return ranked.find((truth) => truth.kind === "confirmed") ?? ranked[0] ?? { kind: "none" };
}
