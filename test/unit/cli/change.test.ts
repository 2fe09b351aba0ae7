import { describe, expect, test } from "vitest";
import { costLines, heldMs } from "../../../cli/change/account.ts";
import { factsOf } from "../../../cli/change/follow.ts";
import { changes } from "../../../cli/change/history.ts";
import { renderHistory } from "../../../cli/change/history-command.ts";
import { planPromote } from "../../../cli/change/promote-plan.ts";
import { planSwitchover } from "../../../cli/change/switchover-plan.ts";
import { PLAIN } from "../../../cli/paper.ts";
import type { Timeline } from "../../../handlers/act/timeline.ts";
import type { MasterRecord } from "../../../model/facts.ts";
import { REASON } from "../../../model/reasons.ts";
import { expand, type Situation } from "../../scenarios/expand.ts";

const HEALTHY: Situation = {
  redis: { a: "master 1000", b: "replica a 1000", c: "replica a 900" },
  sentinels: { a: "a 7", b: "a 7", c: "a 7" },
  service: { selects: "a", record: "a epoch 7" },
};

const handover = (startedAt: string, from: string, to: string): Timeline => ({
  kind: "handover",
  cause: "a person asked for it",
  startedAt,
  from,
  to,
  outcome: "done",
  steps: [
    { step: "paused", ms: 2 },
    { step: "patched", ms: 20 },
    { step: "routed", ms: 252 },
    { step: "cut", ms: 260 },
  ],
});

describe("the plan of a switchover", () => {
  const plan = (situation: Situation, to?: string) => planSwitchover(expand(situation), to);

  test("takes the same successor as the handlers, and asks them for any", () => {
    expect(plan(HEALTHY)).toMatchObject({ from: "a", to: "b", request: "any", service: "cache-master", others: ["c"] });
  });

  test("names the pod that was asked for", () => {
    expect(plan(HEALTHY, "c")).toMatchObject({ to: "c", request: "c" });
  });

  test.each([
    ["the master itself", HEALTHY, "a", "a is the master of shop/cache already"],
    ["a pod of nobody", HEALTHY, "z", "z is not a redis pod of shop/cache; there are: a, b, c"],
    ["a replica without its link", { ...HEALTHY, redis: { ...HEALTHY.redis, c: "replica a 900 down=2s" } }, "c", "these can: b"],
    [
      "no replica at all",
      { ...HEALTHY, redis: { a: "master 1000" }, sentinels: { a: "a 7" } },
      undefined,
      "no replica of shop/cache can take over",
    ],
    [
      "too few sentinels",
      { ...HEALTHY, sentinels: { a: "a 7", b: "timeout", c: "timeout" } },
      undefined,
      "only 1 sentinels can vote, and 2 are needed",
    ],
    ["no master", { ...HEALTHY, redis: { ...HEALTHY.redis, a: "refused" } }, undefined, "has no confirmed master"],
  ] as const)("refuses %s, and says why", (_, situation, to, words) => {
    expect(plan(situation, to)).toContain(words);
  });
});

describe("the plan of a promotion by hand", () => {
  const HALTED: Situation = {
    redis: { b: "replica nobody 500 keys=5 rdb=-60s", c: "replica nobody 900 keys=9 rdb=-50s", a: "timeout" },
    sentinels: { b: "idle", c: "idle", a: "timeout" },
    service: { selects: "a", record: "a epoch 7 volume=data-a", halted: "waiting" },
  };
  const lines = (pod: string, situation = HALTED): string => {
    const plan = planPromote(expand(situation), pod);
    return typeof plan === "string" ? plan : plan.lines.join("\n");
  };

  test("says what a fresher one has more, and who is missing", () => {
    expect(lines("b")).toContain("lost: what c has more: 400 B of writes, 4 keys");
    expect(lines("b")).toContain("lost: what only a may have; they do not answer");
    expect(lines("b")).toContain("the last master a had");
  });

  test("another history can't be counted", () => {
    const situation = { ...HALTED, redis: { ...HALTED.redis, b: "replica nobody 500 keys=5 replid=other" } };
    expect(lines("b", situation)).toContain("everything that only c has (9 keys; another history");
  });

  test("an empty pod loses everything, and that is said", () => {
    expect(lines("b", { ...HALTED, redis: { ...HALTED.redis, b: "replica nobody 0 keys=0" } })).toContain(
      "lost: everything: b is empty",
    );
  });

  test("with a living master it is a switchover", () => {
    expect(lines("b", HEALTHY)).toContain("redis-ha switchover shop/cache --to b");
  });

  test("a pod that does not run can't be chosen", () => {
    expect(lines("a")).toBe("no running redis of shop/cache is called a; running: b, c");
  });
});

describe("a group at which the handlers can't look", () => {
  const view = { group: { namespace: "shop", cluster: "cache" }, plan: undefined, facts: undefined, timelines: [] };

  test("halted: the command says why, and what ends it, instead of a plan on old facts", () => {
    const halted = { reason: REASON.HaltedSecretMissing, message: "Secret cache-redis-ha is gone" };
    for (const facts of [undefined, expand(HEALTHY)])
      expect(() => factsOf({ ...view, facts, halted })).toThrow(
        /shop\/cache now\. HaltedSecretMissing: Secret cache-redis-ha is gone/,
      );
  });

  test("not looked at yet, or not for a moment: no refusal", () => {
    expect(() => factsOf(view)).toThrow("try again in a second");
    const problem = { reason: REASON.ActFailed, message: "the API server does not answer" };
    expect(factsOf({ ...view, facts: expand(HEALTHY), halted: problem }).members).toHaveLength(3);
  });
});

describe("history", () => {
  const record = (pod: string, since: string, reason: string, epoch = 1): MasterRecord => ({
    pod,
    uid: pod,
    instance: pod,
    ip: "10.0.0.1",
    epoch,
    since,
    reason,
  });
  const records = [
    record("b", "2026-01-01T03:00:00.500Z", "HandedOver", 3),
    record("a", "2026-01-01T02:00:00Z", "FailedOver", 2),
    record("b", "2026-01-01T01:00:00Z", "Bootstrapped", 1),
    record("b", "2026-01-01T00:59:59Z", "WaitingForPods", 0),
  ];

  test("an account and its record are one change; what the handlers forgot is told by the record; a claim is none", () => {
    const found = changes([handover("2026-01-01T03:00:00Z", "a", "b")], records);
    expect(found.map(({ from, to, reason, timeline }) => `${from}>${to} ${reason} ${timeline?.kind ?? "-"}`)).toEqual([
      "a>b HandedOver handover",
      "b>a FailedOver -",
      ">b Bootstrapped -",
    ]);
  });

  test("who moved the Service first is no reason: the account tells why", () => {
    const [change] = changes(
      [handover("2026-01-01T03:00:00Z", "a", "b")],
      [record("b", "2026-01-01T03:00:00.500Z", "MasterRouted")],
    );
    expect(change?.reason).toBe("HandedOver");
    expect(changes([], [record("b", "2026-01-01T03:00:00.500Z", "MasterRouted")])[0]?.reason).toBe("MasterRouted");
  });

  test("is shown with the time that writes were held, and the steps where asked", () => {
    const found = changes([handover("2026-01-01T03:00:00Z", "a", "b")], records);
    expect(renderHistory(found, PLAIN, false).join("\n")).toMatchInlineSnapshot(`
      "WHEN                  KIND      MASTER      REASON        TOOK    WRITES HELD  OUTCOME  CAUSE
      2026-01-01T03:00:00Z  handover  a → b       HandedOver    260 ms  250 ms       done     a person asked for it
      2026-01-01T02:00:00Z  -         b → a       FailedOver    -       -            -
      2026-01-01T01:00:00Z  -         nobody → b  Bootstrapped  -       -            -"
    `);
    expect(renderHistory(found, PLAIN, true).join("\n")).toContain("patched");
  });
});

describe("what it cost", () => {
  test("writes were held from the pause until the Service led to the new one", () => {
    expect(heldMs(handover("", "a", "b"))).toBe(250);
    expect(heldMs({ ...handover("", "a", "b"), steps: [{ step: "voted", ms: 1 }] })).toBeUndefined();
  });

  test("a handover lost nothing unless the handlers say so", () => {
    expect(costLines(handover("", "a", "b"), [])).toContain("lost: 0 (both had every byte before the role moved)");
    expect(costLines(handover("", "a", "b"), [{ reason: "WritesLost", message: "12 bytes" }])).toContain("lost: 12 bytes");
    expect(costLines(undefined, [])[0]).toContain("no account");
  });
});
