/** What no facts whatsoever may lead to. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decide } from "../../handlers/policies/decide.ts";
import { findTruth } from "../../handlers/policies/truth.ts";
import type { GroupFacts, MemberFact, RedisUp } from "../../model/facts.ts";
import type { Action, Memory, Plan } from "../../model/plan.ts";
import { facts, memory } from "./arbitrary.ts";
import { changing, memoryOfChange } from "./changing.ts";
import { amongStrangers, memoryOfStrangers } from "./strangers.ts";

/** Few, so that a run stays quick; PROPERTY_RUNS=20000 looks harder. */
const RUNS = { numRuns: Number(process.env.PROPERTY_RUNS ?? 600) };

function always(check: (plan: Plan, given: GroupFacts, before: Memory) => void): void {
  const both = fc.oneof(
    { weight: 2, arbitrary: fc.tuple(facts, memory) },
    { weight: 1, arbitrary: fc.tuple(amongStrangers, memoryOfStrangers) },
    { weight: 1, arbitrary: fc.tuple(changing, memoryOfChange) },
  );
  fc.assert(
    fc.property(both, ([given, before]) => check(decide(given, before), given, before)),
    RUNS,
  );
}

/** Everybody that an action touches in Redis or Sentinel. */
function touched(action: Action): readonly { readonly uid: string }[] {
  const pods = (members: readonly MemberFact[]) => members.map(({ pod }) => pod);
  switch (action.kind) {
    case "promote":
      return pods([...action.candidates, ...action.others, ...action.sentinels]);
    case "handover":
      return pods([action.from, ...action.candidates, ...action.others, ...action.sentinels]);
    case "sentinel-failover":
      return pods([action.sentinel]);
    case "route":
    case "claim":
    case "give-slot":
    case "mark-pod":
      return [action.pod];
    case "restore-record":
      return action.pod === undefined ? [] : [action.pod];
    case "copy":
    case "cut":
    case "mark-service":
      return [];
    default:
      return pods([action.member]);
  }
}

const up = (member: MemberFact | undefined): RedisUp | undefined => {
  const redis = member?.redis;
  if (member === undefined || redis?.state !== "up") return undefined;
  const { uid, ended, orphan } = member.pod;
  return (redis.report?.podUid ?? (ended || orphan ? "anybody" : uid)) === uid ? redis : undefined;
};
const silent = (member: MemberFact): boolean =>
  member.redis === undefined ? member.pod.ip !== undefined : !["up", "refused"].includes(member.redis.state);

describe("no facts whatsoever lead to a plan that", () => {
  test("promotes more than one node, or any beside a confirmed master", () => {
    always((plan, given) => {
      const truth = findTruth(given);
      const promoting = plan.actions.filter(({ kind }) =>
        ["promote", "handover", "sentinel-failover", "claim", "adopt", "release"].includes(kind),
      );
      expect(promoting.length).toBeLessThanOrEqual(1);
      if (truth.kind === "confirmed") {
        expect(promoting.filter(({ kind }) => kind !== "handover" && kind !== "release")).toEqual([]);
      }
      for (const action of promoting) {
        const from = action.kind === "handover" ? action.from : action.kind === "release" ? action.member : undefined;
        if (from !== undefined) expect(truth.kind === "confirmed" && truth.member.pod.uid).toBe(from.pod.uid);
      }
    });
  });

  test("puts an empty node over one with data that is up", () => {
    always((plan, given) => {
      for (const action of plan.actions) {
        const chosen =
          action.kind === "claim"
            ? given.members.find(({ pod }) => pod.uid === action.pod.uid)
            : action.kind === "promote" && (action.cause === "recovery" || action.cause === "bootstrap")
              ? action.candidates[0]
              : undefined;
        if (chosen === undefined || (up(chosen)?.keys ?? 0) > 0) continue;
        // Not over a process either whose pod is gone; but a first master is chosen among pods.
        const last = action.kind === "promote" && action.cause === "recovery";
        const counts = (one: MemberFact): boolean => !one.pod.orphan || (last && up(one)?.loading === false);
        expect(given.members.filter((one) => counts(one) && (up(one)?.keys ?? 0) > 0)).toEqual([]);
      }
    });
  });

  test("fails over to an empty node from which the others could not have come", () => {
    always((plan, given, before) => {
      const known = before.master?.replid ?? given.masterService?.record?.replid ?? "";
      const of = (redis: RedisUp, history: string): boolean => [redis.replid, redis.replid2].includes(history);
      for (const action of plan.actions) {
        if (action.kind !== "promote" || action.cause !== "failover") continue;
        const chosen = up(action.candidates[0]);
        // It is master already: Sentinel's election, or a promotion that was begun.
        if (chosen === undefined || chosen.role === "master" || chosen.keys > 0) continue;
        const rivals = given.members
          .filter(({ pod }) => !pod.orphan && pod.settings.priority !== 0)
          .flatMap((one) => up(one) ?? [])
          .filter((one) => one.role === "replica" && one.linkDownMs === 0 && !one.syncing && !one.loading)
          .filter(({ keys, offset }) => keys > 0 && offset > 0);
        // An emptied master empties its replicas: whoever has heard the most of it is right, and may be empty. Of another history nobody can say that.
        if (known === "") expect(rivals).toEqual([]);
        else expect(of(chosen, known)).toBe(true);
        for (const rival of rivals) if (of(rival, known)) expect(rival.offset).toBeLessThan(chosen.offset);
      }
    });
  });

  test("hands over to an empty node from a master with data", () => {
    always((plan) => {
      for (const action of plan.actions) {
        if (action.kind !== "handover") continue;
        const { keys, offset } = up(action.from) ?? { keys: 0, offset: 0 };
        // One that is behind may be empty for the moment: the act waits until it has heard everything.
        const caughtUp = action.candidates.filter((candidate) => (up(candidate)?.offset ?? 0) >= offset);
        if (keys > 0) for (const candidate of caughtUp) expect(up(candidate)?.keys, candidate.pod.name).toBeGreaterThan(0);
      }
    });
  });

  test("copies a plain pod's data over a member's own, or takes over from one that it does not follow", () => {
    always((plan, given) => {
      for (const action of plan.actions) {
        const source = given.outsiders.map(({ address, redis }) => ({ address, redis }));
        const at = (one: { ip: string; port: number }, other: { ip: string; port: number } | undefined) =>
          one.ip === other?.ip && one.port === other.port;
        if (action.kind === "copy") {
          const target = given.members.find(({ pod }) => at(action.to, { ip: pod.ip ?? "", port: pod.port }));
          const redis = up(target);
          const from = source.find(({ address }) => at(address, action.from))?.redis;
          if (redis === undefined || redis.keys === 0 || from?.state !== "up") continue;
          const copying = redis.role === "replica" && source.some(({ address }) => at(address, redis.master));
          expect(copying || [redis.replid, redis.replid2].includes(from.replid)).toBe(true);
        }
        if (action.kind === "adopt") {
          expect(up(action.member)).toMatchObject({ role: "replica", linkUp: true, master: action.outsider.address });
        }
      }
    });
  });

  test("recovers or bootstraps while somebody is loading its data", () => {
    always((plan, given) => {
      const chooses = plan.actions.some(
        (action) => action.kind === "claim" || (action.kind === "promote" && ["recovery", "bootstrap"].includes(action.cause)),
      );
      if (chooses) expect(given.members.filter((one) => !one.pod.orphan && up(one)?.loading)).toEqual([]);
    });
  });

  test("acts on a pod that is no member, or on a redis whose process runs in another pod", () => {
    always((plan, given) => {
      const members = new Map(given.members.map((member) => [member.pod.uid, member]));
      for (const action of plan.actions) {
        for (const { uid } of touched(action)) expect(members.has(uid)).toBe(true);
        const redis =
          action.kind === "promote" || action.kind === "handover"
            ? [...action.candidates, ...action.others]
            : action.kind === "attach" || action.kind === "fence" || action.kind === "configure-redis"
              ? [action.member]
              : [];
        for (const member of redis) expect(up(member)).toBeDefined();
      }
    });
  });

  test("promotes by silence alone", () => {
    always((plan, given) => {
      const truth = findTruth(given);
      const record = given.masterService?.record;
      for (const action of plan.actions) {
        if (action.kind !== "promote" || action.cause === "person" || action.cause === "bootstrap") continue;
        // Sentinel's own election, which the candidate itself confirms
        const masters = action.candidates.every((member) => up(member)?.role === "master");
        // Somebody was promoted already, and the sentinels are only told of it; the old master is proven gone all the same.
        const told = action.byMonitor === true && masters;
        if (action.cause === "failover" && action.votes === 0 && !told) {
          expect(given.hint).toBeDefined();
          expect(action.candidates.map((member) => up(member)?.role)).toEqual(["master"]);
          continue;
        }
        const named = truth.kind === "named" ? truth.member : undefined;
        // A majority of the sentinels judges it down by its own detection, and has to vote as well.
        const watching = given.members.flatMap(({ sentinel }) =>
          sentinel?.state === "up" && !sentinel.tilt && sentinel.master !== undefined ? [sentinel.master] : [],
        );
        const down = watching.filter(({ flags }) => flags.includes("s_down")).length;
        if (action.cause === "failover" && down > watching.length / 2 && action.votes >= down) continue;
        const recorded = given.members.find(({ pod }) => pod.uid === record?.uid);
        for (const member of action.cause === "recovery" ? [named, recorded] : [named]) {
          if (member === undefined || member.pod.ended || member.pod.containerEnded) continue;
          expect(silent(member)).toBe(false);
        }
        if (action.cause === "failover" && !told) expect(action.votes).toBeGreaterThan(0);
      }
    });
  });

  test("routes to a node that does not say master itself", () => {
    always((plan, given) => {
      for (const action of plan.actions) {
        if (action.kind !== "route") continue;
        const redis = up(given.members.find(({ pod }) => pod.uid === action.pod.uid));
        expect(redis?.role).toBe("master");
        expect(redis?.loading).toBe(false);
        expect(action.pod.orphan).toBe(false);
      }
    });
  });

  test("fences the confirmed master, or demotes by what a minority of the sentinels says", () => {
    always((plan, given) => {
      const truth = findTruth(given);
      const sentinels = given.members.filter(({ pod }) => pod.hasSentinel && !pod.ended && !pod.orphan);
      // One in TILT that watches nobody counts as the others that wait.
      const answering = given.members.filter(
        ({ sentinel }) => sentinel?.state === "up" && (!sentinel.tilt || sentinel.master === undefined),
      );
      for (const action of plan.actions) {
        if (action.kind !== "fence") continue;
        expect(truth.kind).toBe("confirmed");
        if (truth.kind === "confirmed") expect(action.member.pod.uid).not.toBe(truth.member.pod.uid);
        expect(sentinels.length === 0 || answering.length > sentinels.length / 2).toBe(true);
      }
    });
  });

  test("touches Redis or Sentinel without the Lease", () => {
    fc.assert(
      fc.property(facts, memory, (given, before) => {
        const { actions } = decide({ ...given, leading: false }, before);
        expect(actions.filter(({ kind }) => kind !== "route")).toEqual([]);
      }),
      RUNS,
    );
  });

  test("depends on the order in which the members were read, or on anything but facts and memory", () => {
    const shuffled = facts.chain((given) =>
      fc.tuple(
        fc.constant(given),
        fc.shuffledSubarray([...given.members], { minLength: given.members.length, maxLength: given.members.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, memory, ([given, members], before) => {
        const plan = decide(given, before);
        expect(decide(structuredClone(given), structuredClone(before))).toEqual(plan);
        expect(decide({ ...given, members }, before)).toEqual(plan);
      }),
      RUNS,
    );
  });
});

test("the state says what the facts say", () => {
  always((plan, given) => {
    if (plan.state === "ok") expect(findTruth(given).kind).toBe("confirmed");
    if (plan.state === "halted") expect(plan.actions.some(({ kind }) => kind === "promote")).toBe(false);
  });
});
