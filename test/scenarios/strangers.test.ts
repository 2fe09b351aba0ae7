/** No facts whatsoever lead to an act on an address, or on a process, that is not the group's own. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide } from "../../handlers/policies/decide.ts";
import { findTruth } from "../../handlers/policies/truth.ts";
import type { Address, GroupFacts, MemberFact } from "../../model/facts.ts";
import type { Action, Plan } from "../../model/plan.ts";
import { facts, memory } from "./arbitrary.ts";
import { amongStrangers, memoryOfStrangers } from "./strangers.ts";

/** Few, so that a run stays quick; PROPERTY_RUNS=20000 looks harder. */
const RUNS = { numRuns: Number(process.env.PROPERTY_RUNS ?? 1500) };
/** Until then what stood still has been remembered long enough to be forgotten, ms. */
const LATER_MS = 10_000;

/** Two rounds, the second of which has the memory of the first. */
function always(check: (plan: Plan, given: GroupFacts) => void): void {
  const both = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(amongStrangers, memoryOfStrangers) },
    { weight: 1, arbitrary: fc.tuple(facts, memory) },
  );
  fc.assert(
    fc.property(both, ([given, before]) => {
      const first = decide(given, before);
      check(first, given);
      const later = { ...given, at: given.at + LATER_MS };
      check(decide(later, first.memory), later);
    }),
    RUNS,
  );
}

/** Addresses that an action leads somebody to, or takes somebody from. That of a lost master, in whose place another one is made, is only spoken of. */
function ledTo(action: Action): readonly Address[] {
  switch (action.kind) {
    case "attach":
    case "fence":
    case "monitor":
    case "hello":
      return [action.master];
    case "cut":
      return [action.master, action.previous];
    case "forget":
      return [action.monitored.address];
    case "copy":
      return [action.from, action.to];
    case "adopt":
    case "release":
      return [action.outsider.address];
    case "route":
      return [{ ip: action.pod.ip ?? "", port: action.pod.port }];
    default:
      return [];
  }
}

/** Whose redis an action speaks to. */
function redisesOf(action: Action): readonly MemberFact[] {
  switch (action.kind) {
    case "promote":
      return [...action.candidates, ...action.others];
    case "handover":
      return [action.from, ...action.candidates, ...action.others];
    case "attach":
    case "fence":
    case "unpause":
    case "configure-redis":
    case "adopt":
    case "release":
      return [action.member];
    default:
      return [];
  }
}

/** Whose sentinel an action speaks to. */
function sentinelsOf(action: Action): readonly MemberFact[] {
  switch (action.kind) {
    case "promote":
    case "handover":
      return action.sentinels;
    case "sentinel-failover":
      return [action.sentinel, ...action.voters];
    case "forget":
      return [action.member, ...action.peers];
    case "monitor":
    case "hello":
    case "set-sentinel":
    case "restart-sentinel":
      return [action.member];
    default:
      return [];
  }
}

const same = (a: Address, b: Address): boolean => a.ip === b.ip && a.port === b.port;
const gone = ({ pod }: MemberFact): boolean => pod.ended || pod.orphan;

describe("no facts whatsoever lead to an act", () => {
  test("on an address that is no member's, nor that of a plain pod which is adopted from or given back to", () => {
    always(({ actions }, given) => {
      const truth = findTruth(given);
      const own = given.members.map(({ pod }): Address => ({ ip: pod.ip ?? "", port: pod.port }));
      const plain = given.outsiders.map(({ address }) => address);
      for (const action of actions) {
        const allowed = ["copy", "adopt", "release"].includes(action.kind) ? [...own, ...plain] : own;
        for (const address of ledTo(action)) {
          if (allowed.some((one) => same(one, address))) continue;
          // For an election a majority has to watch the lost master, as the sentinels do that were there when it was lost. Its address may be anybody's by now.
          const watched = given.members.some(
            ({ sentinel }) => sentinel?.state === "up" && sentinel.master !== undefined && same(sentinel.master.address, address),
          );
          const likeTheOthers = action.kind === "monitor" && !action.replace && truth.kind === "named" && watched;
          expect(likeTheOthers, `${action.kind} ${address.ip}`).toBe(true);
        }
      }
    });
  });

  test("on a process at a member's address that is a stranger's, or may be", () => {
    always(({ actions }) => {
      for (const action of actions) {
        for (const { pod, redis } of redisesOf(action)) {
          const uid = redis?.state === "up" ? redis.report?.podUid : "nobody";
          expect(uid ?? (pod.ended || pod.orphan ? "unknown" : pod.uid), `${action.kind} ${pod.name}`).toBe(pod.uid);
        }
        // A sentinel says who it is by what it watches; the pod of one that watches nothing has to be there.
        for (const member of sentinelsOf(action)) {
          const watches = member.sentinel?.state === "up" && member.sentinel.master !== undefined;
          expect(gone(member) && !watches, `${action.kind} ${member.pod.name}`).toBe(false);
        }
      }
    });
  });

  test("that makes a sentinel forget a living member", () => {
    always(({ actions }, given) => {
      for (const action of actions) {
        if (action.kind !== "forget") continue;
        const listed = [...action.monitored.sentinels, ...action.monitored.replicas].map(({ ip }) => ip);
        for (const ip of action.ghosts) {
          expect(listed).toContain(ip);
          const living = given.members.filter(({ pod }) => pod.ip === ip && !pod.ended);
          // Unless it is a former identity of one there
          const former = action.monitored.sentinels.some(
            (peer) => peer.ip === ip && living.some(({ sentinel }) => sentinel?.state === "up" && peer.runId !== sentinel.myId),
          );
          expect(living.length === 0 || former).toBe(true);
        }
      }
    });
  });
});

test("among such facts are some for every kind of act", () => {
  const seen = new Set<string>();
  for (const [given, before] of fc.sample(fc.tuple(amongStrangers, memoryOfStrangers), { numRuns: 3000, seed: 1 })) {
    const first = decide(given, before);
    const second = decide({ ...given, at: given.at + LATER_MS }, first.memory);
    for (const { kind } of [...first.actions, ...second.actions]) seen.add(kind);
  }
  const wanted: Action["kind"][] = [
    "route",
    "promote",
    "handover",
    "sentinel-failover",
    "attach",
    "fence",
    "monitor",
    "hello",
    "forget",
  ];
  const others: Action["kind"][] = ["cut", "unpause", "copy", "adopt", "claim", "restore-record", "configure-redis"];
  expect([...seen]).toEqual(expect.arrayContaining([...wanted, ...others]));
});
