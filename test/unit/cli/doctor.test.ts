import { beforeAll, describe, expect, test } from "vitest";
import { makeAuthority } from "../../../certs/authority.ts";
import { examine, exitCode, renderFindings } from "../../../cli/doctor/examine.ts";
import type { Facts, Finding } from "../../../cli/doctor/findings.ts";
import { blocking, blockingEgress, type End, type NetworkPolicy } from "../../../cli/doctor/network.ts";
import { EXIT } from "../../../cli/exit.ts";
import { PLAIN } from "../../../cli/paper.ts";
import type { GroupStatus } from "../../../cli/status/status.ts";
import { selects } from "../../../kube/selector.ts";
import type { CoreEvent, MutatingWebhookConfiguration, Pod } from "../../../kube/types.ts";

const NOW = Date.now();
const DAY = 86_400_000;
const bundles = { good: "", ending: "", old: "" };

beforeAll(async () => {
  const bundle = async (life: number, from: number): Promise<string> =>
    Buffer.from((await makeAuthority(life, from)).cert).toString("base64");
  bundles.good = await bundle(365 * DAY, NOW);
  bundles.ending = await bundle(10 * DAY, NOW - 8.5 * DAY);
  bundles.old = await bundle(DAY, NOW - 8 * DAY);
});

const webhook = (caBundle: string, failurePolicy = "Fail"): MutatingWebhookConfiguration =>
  ({
    webhooks: [{ name: "pods.redis-ha.io", clientConfig: { caBundle }, failurePolicy }],
  }) as unknown as MutatingWebhookConfiguration;

function redis(
  name: string,
  more: { node?: string; annotations?: object; image?: string; labels?: object; volume?: boolean } = {},
): Pod {
  return {
    metadata: {
      name,
      uid: name,
      namespace: "shop",
      creationTimestamp: new Date(NOW).toISOString(),
      labels: {
        "redis-ha.io/cluster": "cache",
        "redis-ha.io/instance": name,
        "redis-ha.io/has-redis": "true",
        "redis-ha.io/has-sentinel": "true",
        app: "cache",
        ...more.labels,
      },
      annotations: {
        "redis-ha.io/cluster": "cache",
        "redis-ha.io/container": "redis",
        "redis-ha.io/status": '{"version":"0.1.0"}',
        ...more.annotations,
      },
    },
    spec: {
      nodeName: more.node ?? `node-${name}`,
      containers: [{ name: "redis", image: more.image ?? "redis:7", volumeMounts: [{ name: "data", mountPath: "/data" }] }],
      volumes: more.volume === false ? [] : [{ name: "data", persistentVolumeClaim: { claimName: name } }],
    },
    status: { phase: "Running" },
  } as unknown as Pod;
}

const group = (state: GroupStatus["state"], more: Partial<GroupStatus> = {}): GroupStatus =>
  ({ namespace: "shop", cluster: "cache", state, notices: [], halted: undefined, ...more }) as unknown as GroupStatus;

const budget = (namespace: string, name: string) => ({ namespace, name, selector: { matchLabels: { app: "cache" } } });

const healthy = (): Facts => ({
  version: "0.1.0",
  system: "redis-ha-system",
  kubernetes: "1.37",
  here: NOW,
  there: NOW + 300,
  nodeLeases: [{ node: "node-1", renewTime: new Date(NOW - 4000).toISOString() }],
  deployment: {
    spec: {
      replicas: 2,
      selector: {},
      template: { spec: { containers: [{ name: "redis-ha", image: "docker.io/redisha/redis-ha:0.1.0" }] } },
    },
    status: { readyReplicas: 2 },
  },
  serverPods: [{ metadata: { name: "one" } }],
  readiness: { one: "ok" },
  webhook: webhook(bundles.good),
  rights: [{ what: "patch services", allowed: true }],
  systemLabels: { "kubernetes.io/metadata.name": "redis-ha-system" },
  policies: [],
  pods: ["a", "b", "c"].map((name) => redis(name)),
  services: [],
  budgets: [budget("shop", "mine")],
  events: [],
  groups: [group("ok")],
  dnsEndpoints: 2,
  tlsSecrets: [],
  unread: [],
});

const event = (count: number, agoMs: number): CoreEvent =>
  ({
    reason: "SelectorRepaired",
    count,
    metadata: { namespace: "shop" },
    involvedObject: { name: "cache-master" },
    lastTimestamp: new Date(NOW - agoMs).toISOString(),
  }) as unknown as CoreEvent;

const DENY_ALL: NetworkPolicy = {
  metadata: { name: "deny", namespace: "shop" },
  spec: { podSelector: {}, policyTypes: ["Ingress"] },
};

test("a whole installation with a whole group has nothing to mend, and that is said", () => {
  const findings = examine(healthy());
  expect(findings).toEqual([]);
  expect(exitCode(findings)).toBe(EXIT.ok);
  expect(renderFindings(findings, [], 1, PLAIN)).toEqual(["ok: 1 groups and the installation were looked at, nothing to mend"]);
});

const CASES: [string, (facts: Facts) => Partial<Facts>, Finding["level"], string, RegExp, RegExp][] = [
  ["not installed", () => ({ deployment: undefined }), "broken", "install", /no Deployment redis-ha/, /^redis-ha install/],
  [
    "no replica ready",
    (f) => ({ deployment: { ...f.deployment, status: { readyReplicas: 0 } } as never }),
    "broken",
    "install",
    /no replica of redis-ha is ready/,
    /kubectl -n redis-ha-system/,
  ],
  [
    "one of two ready",
    (f) => ({ deployment: { ...f.deployment, status: { readyReplicas: 1 } } as never }),
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
  ["no webhook", () => ({ webhook: undefined }), "broken", "webhook", /no MutatingWebhookConfiguration/, /redis-ha install/],
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
    /rollout restart/,
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
    /annotate deployment/,
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
    /allow ports 6379 and 26379/,
  ],
  ["one redis", (f) => ({ pods: f.pods.slice(0, 1) }), "warning", "data", /one redis: nothing can take over/, /--replicas=3/],
  [
    "all on one node",
    () => ({ pods: ["a", "b", "c"].map((name) => redis(name, { node: "n" })) }),
    "warning",
    "data",
    /all 3 pods of shop\/cache are on node n/,
    /topologySpread/,
  ],
  ["two sentinels", (f) => ({ pods: f.pods.slice(0, 2) }), "warning", "quorum", /2 sentinels/, /three/],
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
    /auth=generated/,
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
    /annotate/,
  ],
  [
    "min-replicas that nobody can fulfil",
    () => ({ pods: ["a", "b", "c"].map((name) => redis(name, { annotations: { "redis-ha.io/min-replicas-to-write": "3" } })) }),
    "broken",
    "data",
    /wants 3 replicas for a write, and has 2/,
    /annotate/,
  ],
  [
    "a floating image",
    () => ({ pods: ["a", "b", "c"].map((name) => redis(name, { image: "registry:5000/redis" })) }),
    "warning",
    "data",
    /another server version/,
    /name a version/,
  ],
  [
    "no budget",
    () => ({ budgets: [budget("other", "mine")] }),
    "hint",
    "disruption",
    /no PodDisruptionBudget/,
    /disruption-budget-/,
  ],
  [
    "two budgets",
    () => ({ budgets: [budget("shop", "mine"), budget("shop", "cache-redis-ha")] }),
    "broken",
    "disruption",
    /mine and cache-redis-ha select the same pods/,
    /delete poddisruptionbudget/,
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
    const facts = { ...healthy(), rights: undefined, policies: undefined, budgets: undefined, unread: ["rights: forbidden"] };
    expect(examine(facts)).toEqual([]);
    expect(renderFindings([], facts.unread, 1, PLAIN)[0]).toBe("not looked at: rights: forbidden");
  });
});

describe("NetworkPolicies", () => {
  const handlers: End = { namespace: "sys", namespaceLabels: { name: "sys" }, labels: { app: "redis-ha" } };
  const pod: End = { namespace: "shop", namespaceLabels: { name: "shop" }, labels: { app: "cache" } };
  const policy = (spec: NetworkPolicy["spec"], namespace = "shop"): NetworkPolicy => ({
    metadata: { name: "p", namespace },
    spec: { podSelector: {}, ...spec },
  });
  const open = (policies: NetworkPolicy[], from = handlers, port = 6379): boolean =>
    blocking(policies, from, pod, port).length === 0;

  test("none, or one that selects other pods, or of another namespace, keeps nobody away", () => {
    expect(open([])).toBe(true);
    expect(open([policy({ podSelector: { matchLabels: { app: "web" } }, ingress: [] })])).toBe(true);
    expect(open([policy({ ingress: [] }, "other")])).toBe(true);
  });

  test("they add up: one that allows is enough", () => {
    const deny = policy({ ingress: [] });
    const allow = policy({
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { name: "sys" } } }], ports: [{ port: 6379 }] }],
    });
    expect(open([deny])).toBe(false);
    expect(open([deny, allow])).toBe(true);
    expect(open([deny, allow], handlers, 26379)).toBe(false);
    expect(open([deny, allow], pod)).toBe(false);
  });

  test("a podSelector alone means the policy's own namespace", () => {
    const own = policy({ ingress: [{ from: [{ podSelector: {} }] }] });
    expect(open([own], pod)).toBe(true);
    expect(open([own], handlers)).toBe(false);
  });

  test("ranges of ports, names of ports and address blocks", () => {
    expect(open([policy({ ingress: [{ ports: [{ port: 6000, endPort: 7000 }] }] })])).toBe(true);
    expect(open([policy({ ingress: [{ ports: [{ port: "redis" }] }] })])).toBe(true);
    expect(open([policy({ ingress: [{ ports: [{ port: 6379, protocol: "UDP" }] }] })])).toBe(false);
    expect(open([policy({ ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }] })])).toBe(true);
  });

  test("egress is only limited where a policy says so", () => {
    expect(blockingEgress([policy({ ingress: [] }, "sys")], handlers, pod, 6379)).toEqual([]);
    expect(
      blockingEgress(
        [policy({ policyTypes: ["Egress"], egress: [{ to: [{ namespaceSelector: { matchLabels: { name: "db" } } }] }] }, "sys")],
        handlers,
        pod,
        6379,
      ),
    ).toEqual(["p"]);
  });

  test.each([
    [{ key: "app", operator: "In", values: ["cache", "web"] }, true],
    [{ key: "app", operator: "NotIn", values: ["cache"] }, false],
    [{ key: "app", operator: "Exists" }, true],
    [{ key: "tier", operator: "DoesNotExist" }, true],
  ])("expression %j", (expression, expected) => {
    expect(selects({ matchExpressions: [expression] }, { app: "cache" })).toBe(expected);
  });
});
