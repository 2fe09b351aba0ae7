/** Alerts and dashboard speak of metrics that exist, and each alert has its runbook. Whether the rules raise what they should: `npm run test:monitoring`. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { groupNumbers, stateOf } from "../../../handlers/group-metrics.ts";
import { decide, freshMemory } from "../../../handlers/policies/decide.ts";
import { HALTED, REASON } from "../../../model/reasons.ts";
import { exposition } from "../../monitoring/exposition.ts";
import { dashboard, ruleGroups } from "../../monitoring/rules.ts";
import { expand, type Situation, START } from "../../scenarios/expand.ts";

const rules = ruleGroups().flatMap((group) => group.rules);
const runbooks = readFileSync(new URL("../../../docs/runbooks.md", import.meta.url), "utf8");
const headings = [...runbooks.matchAll(/^## (\w+)$/gm)].map(([, heading]) => heading ?? "");

const named = (text: string): string[] =>
  [...text.matchAll(/\bredis_ha_\w+/g)].map(([name]) => name.replace(/_(bucket|count|sum)$/, ""));

test("every metric that a rule or a panel names is exposed", async () => {
  const exposed = new Set([...(await exposition()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const used = [
    ...rules.map(({ expr }) => expr),
    ...dashboard().panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ];
  expect(used.flatMap(named).filter((name) => !exposed.has(name))).toEqual([]);
});

test("every alert has a severity, a summary, and a runbook that exists; every halted reason has one too", () => {
  for (const { alert, labels, annotations } of rules) {
    expect(["critical", "warning"], alert).toContain(labels.severity);
    expect(annotations.summary, alert).toBeTruthy();
    expect(annotations.runbook_url, alert).toBe(`docs/runbooks.md#${alert.toLowerCase()}`);
    expect(headings, alert).toContain(alert);
  }
  for (const reason of HALTED) expect(headings).toContain(reason);
});

test("every panel says what it shows", () => {
  for (const { title, description } of dashboard().panels) expect(description, title).toBeTruthy();
});

describe("a group as numbers", () => {
  const of = (situation: Situation) => {
    const facts = expand(situation);
    return groupNumbers({ group: facts.group, facts, plan: decide(facts, freshMemory(START - 600_000)), timelines: [] });
  };

  test("a whole group", () => {
    const facts = expand({
      redis: { a: "master 1000", b: "replica a 1000", c: "replica a 900" },
      sentinels: { a: "a 7", b: "a 7", c: "timeout" },
      service: { selects: "a", record: "a epoch 7 since=-60s" },
    });
    const seen = [
      { ip: "10.0.0.2", port: 6379, online: true, offset: 990, lagS: 0 },
      { ip: "10.0.0.3", port: 6379, online: true, offset: 900, lagS: 3 },
      { ip: "10.0.0.9", port: 6379, online: true, offset: 0, lagS: 99 },
    ];
    const members = facts.members.map((member) =>
      member.redis?.state === "up" && member.redis.role === "master"
        ? { ...member, redis: { ...member.redis, replicas: seen } }
        : member,
    );
    const whole = { ...facts, members };
    expect(groupNumbers({ group: facts.group, facts: whole, plan: decide(whole, freshMemory(START)), timelines: [] })).toEqual({
      state: "ok",
      redisPods: 3,
      replicasAttached: 2,
      lagBytes: 100,
      lagSeconds: 3,
      sentinels: 3,
      sentinelsAnswering: 2,
      sentinelsNeeded: 2,
      masterSince: (START - 60_000) / 1000,
    });
  });

  test("without a master there is no lag to tell", () => {
    expect(of({ redis: { a: "timeout", b: "replica a 10 down=5s" }, sentinels: { a: "timeout", b: "a 7" } })).toMatchObject({
      lagBytes: undefined,
      replicasAttached: 0,
      masterSince: undefined,
    });
  });

  test("one that is halted before it could be read has a state", () => {
    const view = { group: { namespace: "shop", cluster: "cache" }, facts: undefined, plan: undefined, timelines: [] };
    expect(stateOf({ ...view, halted: { reason: REASON.HaltedSecretMissing, message: "" } })).toBe("halted");
    expect(stateOf({ ...view, halted: { reason: REASON.ActFailed, message: "" } })).toBeUndefined();
    expect(stateOf(view)).toBeUndefined();
  });

  test("nothing is told of a group that was not read yet", () => {
    expect(
      groupNumbers({ group: { namespace: "shop", cluster: "cache" }, facts: undefined, plan: undefined, timelines: [] }),
    ).toBeUndefined();
  });
});
