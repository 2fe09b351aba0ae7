import { describe, expect, test } from "vitest";
import { examine, exitCode, renderFindings } from "../../../cli/doctor/examine.ts";
import { type Facts, type Finding, MISSING } from "../../../cli/doctor/findings.ts";
import { EXIT } from "../../../cli/exit.ts";
import { PLAIN } from "../../../cli/paper.ts";
import type { Pod } from "../../../kube/types.ts";
import { budget, bundles, DENY_ALL, event, group, healthy, NOW, redis, webhook } from "./doctor-facts.ts";

test("a whole installation with a whole group has nothing to mend, and that is said", () => {
  const findings = examine(healthy());
  expect(findings).toEqual([]);
  expect(exitCode(findings)).toBe(EXIT.ok);
  expect(renderFindings(findings, [], 1, PLAIN)).toEqual(["ok: 1 groups and the installation were looked at, nothing to mend"]);
});

const CASES: [string, (facts: Facts) => Partial<Facts>, Finding["level"], string, RegExp, RegExp][] = [
  ["not installed", () => ({ deployment: MISSING }), "broken", "install", /no Deployment redis-ha/, /^redis-ha install/],
  [
    "no replica ready",
    (f) => ({ deployment: { ...(f.deployment as object), status: { readyReplicas: 0 } } as never }),
    "broken",
    "install",
    /no replica of redis-ha is ready/,
    /kubectl -n redis-ha-system/,
  ],
  [
    "one of two ready",
    (f) => ({ deployment: { ...(f.deployment as object), status: { readyReplicas: 1 } } as never }),
    "warning",
    "install",
    /1 of 2 replicas/,
    /describe deployment/,
  ],
  [
    "a pod says why it is not ready",
    () => ({ readiness: { one: "no valid certificate" } }),
    "broken",
    "install",
    /pod one is not ready: no valid certificate/,
    /logs/,
  ],
  ["no webhook", () => ({ webhook: MISSING }), "broken", "webhook", /no MutatingWebhookConfiguration/, /redis-ha install/],
  ["no caBundle", () => ({ webhook: webhook("") }), "broken", "webhook", /has no caBundle/, /logs/],
  ["a CA that has expired", () => ({ webhook: webhook(bundles.old) }), "broken", "webhook", /has expired/, /rollout restart/],
  ["a CA that ends soon", () => ({ webhook: webhook(bundles.ending) }), "warning", "webhook", /ends in 36 h/, /logs/],
  [
    "a webhook that lets through",
    () => ({ webhook: webhook(bundles.good, "Ignore") }),
    "warning",
    "webhook",
    /failurePolicy Ignore/,
    /install/,
  ],
  [
    "a right that is missing",
    () => ({ rights: [{ what: "patch services in all namespaces", allowed: false }] }),
    "broken",
    "rights",
    /may not patch services/,
    /install/,
  ],
  [
    "another version",
    () => ({ version: "0.2.0" }),
    "hint",
    "version",
    /this program is 0.2.0, the cluster runs 0.1.0/,
    /install/,
  ],
  ["an old Kubernetes", () => ({ kubernetes: "1.28" }), "broken", "version", /too old/, /upgrade/],
  [
    "pods of an older version",
    (f) => ({ pods: [...f.pods.slice(1), redis("a", { annotations: { "redis-ha.io/status": '{"version":"0.0.9"}' } })] }),
    "hint",
    "version",
    /1 pods were injected by another version/,
    /^kubectl -n shop rollout restart deployment cache /,
  ],
  ["no DNS", () => ({ dnsEndpoints: 0 }), "broken", "dns", /nobody is behind/, /kube-dns/],
  ["this machine's clock", () => ({ there: NOW - 9000 }), "hint", "clock", /9 s ahead of the API server/, /timedatectl/],
  [
    "a node's clock",
    () => ({ nodeLeases: [{ node: "n", renewTime: new Date(NOW + 30_000).toISOString() }] }),
    "warning",
    "clock",
    /clock of node n is at least 30 s ahead/,
    /timedatectl/,
  ],
  [
    "a lost node",
    () => ({ nodeLeases: [{ node: "n", renewTime: new Date(NOW - 300_000).toISOString() }] }),
    "warning",
    "clock",
    /not been heard of/,
    /describe node n/,
  ],
  [
    "halted",
    () => ({ groups: [group("halted", { halted: "data is missing" })] }),
    "broken",
    "group",
    /shop\/cache is halted: data is missing/,
    /redis-ha status shop\/cache/,
  ],
  ["masterless", () => ({ groups: [group("masterless")] }), "broken", "group", /has no master/, /--watch/],
  [
    "quorum lost",
    () => ({ groups: [group("degraded", { notices: [{ reason: "QuorumLost", message: "1 of 3 answer" }] })] }),
    "broken",
    "group",
    /1 of 3 answer/,
    /has-sentinel/,
  ],
  [
    "pods that disagree",
    () => ({ groups: [group("ok", { notices: [{ reason: "SettingsDiffer", message: "the redis pods disagree" }] })] }),
    "warning",
    "settings",
    /shop\/cache: the redis pods disagree/,
    /^kubectl -n shop edit deployment\/cache /,
  ],
  [
    "not injected",
    (f) => ({
      pods: [
        ...f.pods,
        { metadata: { name: "bare", namespace: "shop", annotations: { "redis-ha.io/cluster": "cache" } } } as Pod,
      ],
    }),
    "broken",
    "injection",
    /shop\/bare asks for group cache but was not injected/,
    /delete pod bare/,
  ],
  [
    "a selector that somebody else writes",
    () => ({ events: [event(4, 60_000)] }),
    "warning",
    "selector",
    /repaired 4 times/,
    /show-managed-fields/,
  ],
  [
    "a NetworkPolicy",
    () => ({ policies: [DENY_ALL] }),
    "broken",
    "network",
    /shop\/deny keeps redis-ha away from port 6379/,
    /^echo .* \| kubectl apply -f -/,
  ],
  [
    "one redis",
    (f) => ({ pods: f.pods.slice(0, 1) }),
    "warning",
    "data",
    /one redis: nothing can take over/,
    /^kubectl -n shop scale deployment cache --replicas=3$/,
  ],
  [
    "all on one node",
    () => ({ pods: ["a", "b", "c"].map((name) => redis(name, { node: "n" })) }),
    "warning",
    "data",
    /all 3 pods of shop\/cache are on node n/,
    /spread":"require"/,
  ],
  [
    "two sentinels",
    (f) => ({ pods: f.pods.slice(0, 2) }),
    "warning",
    "quorum",
    /2 sentinels/,
    /^kubectl -n shop scale deployment cache --replicas=3/,
  ],
  ["four sentinels", (f) => ({ pods: [...f.pods, redis("d")] }), "hint", "quorum", /odd number/, /--replicas=3/],
  [
    "no volumes",
    () => ({ pods: ["a", "b", "c"].map((name) => redis(name, { volume: false })) }),
    "hint",
    "data",
    /no volumes/,
    /StatefulSet/,
  ],
  [
    "no password",
    () => ({ pods: ["a", "b", "c"].map((name) => redis(name, { annotations: { "redis-ha.io/auth": "none" } })) }),
    "warning",
    "data",
    /no password/,
    /The password/,
  ],
  [
    "one password for two groups",
    () => ({
      pods: ["a", "b", "c", "d"].map((name) =>
        redis(name, {
          annotations: { "redis-ha.io/auth": "secret:theirs/password" },
          labels: name === "d" ? { "redis-ha.io/cluster": "other" } : {},
        }),
      ),
    }),
    "warning",
    "data",
    /shop\/cache and shop\/other have one password \(Secret shop\/theirs, key password\)/,
    /a Secret of its own/,
  ],
  [
    "min-replicas 0",
    () => ({ pods: ["a", "b", "c"].map((name) => redis(name, { annotations: { "redis-ha.io/min-replicas-to-write": "0" } })) }),
    "warning",
    "data",
    /min-replicas-to-write 0/,
    /min-replicas-to-write":"1"/,
  ],
  [
    "min-replicas that nobody can fulfil",
    () => ({ pods: ["a", "b", "c"].map((name) => redis(name, { annotations: { "redis-ha.io/min-replicas-to-write": "3" } })) }),
    "broken",
    "data",
    /wants 3 replicas for a write, and has 2/,
    /min-replicas-to-write":"1"/,
  ],
  [
    "a floating image",
    () => ({ pods: ["a", "b", "c"].map((name) => redis(name, { image: "registry:5000/redis" })) }),
    "warning",
    "data",
    /another server version/,
    /^kubectl -n shop set image deployment cache redis=registry:5000\/redis:VERSION$/,
  ],
  [
    "no budget",
    () => ({ budgets: [budget("other", "mine")] }),
    "hint",
    "disruption",
    /no PodDisruptionBudget/,
    /disruption-budget":"1"/,
  ],
  [
    "two budgets",
    () => ({ budgets: [budget("shop", "mine"), budget("shop", "cache-redis-ha")] }),
    "broken",
    "disruption",
    /mine and cache-redis-ha select the same pods/,
    /^kubectl -n shop delete poddisruptionbudget cache-redis-ha /,
  ],
];

describe("each finding with what mends it", () => {
  test.each(CASES)("%s", (_, change, level, check, message, mend) => {
    const facts = healthy();
    const found = examine({ ...facts, ...change(facts) }).find((one) => message.test(one.message));
    expect(found).toMatchObject({ level, check });
    expect(found?.mend).toMatch(mend);
  });

  test("a selector that was repaired once, or long ago, is nobody's fault", () => {
    expect(examine({ ...healthy(), events: [event(1, 60_000), event(9, 7_200_000)] })).toEqual([]);
  });

  test("the gravest comes first, and the exit code is its", () => {
    const findings = examine({
      ...healthy(),
      version: "0.2.0",
      dnsEndpoints: 0,
      nodeLeases: [{ node: "n", renewTime: new Date(NOW + 30_000).toISOString() }],
    });
    expect(findings.map(({ level }) => level)).toEqual(["broken", "warning", "hint"]);
    expect([findings, findings.slice(1), findings.slice(2)].map(exitCode)).toEqual([EXIT.broken, EXIT.findings, EXIT.ok]);
  });

  test("what could not be read is named and is no finding", () => {
    const nothing = { rights: undefined, policies: undefined, budgets: undefined, deployment: undefined, webhook: undefined };
    const facts = { ...healthy(), ...nothing, unread: ["rights: forbidden"] };
    expect(examine(facts)).toEqual([]);
    expect(renderFindings([], facts.unread, 1, PLAIN)[0]).toBe("not looked at: rights: forbidden");
  });
});
