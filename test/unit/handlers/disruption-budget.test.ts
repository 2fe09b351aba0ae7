/** When a group gets a PodDisruptionBudget of ours, and when it is put right or retired; never against one of a person. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { applyBudget, budgetSpec, isBudgetSpec } from "../../../handlers/act/disruption-budget.ts";
import { GroupBudgets } from "../../../handlers/group/budgets.ts";
import type { GroupOptions } from "../../../handlers/group/source.ts";
import type { GroupVoice } from "../../../handlers/group/voice.ts";
import { type BudgetFacts, type BudgetPlan, planBudget } from "../../../handlers/policies/disruption-budget.ts";
import { budgetFacts } from "../../../handlers/watch/budget-facts.ts";
import { PATH } from "../../../kube/paths.ts";
import { selects } from "../../../kube/selector.ts";
import type { Pod, PodDisruptionBudget } from "../../../kube/types.ts";
import { parseSettings } from "../../../model/settings.ts";
import { expand } from "../../scenarios/expand.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";

const GROUP = { namespace: "shop", cluster: "cache" };
const PLACE = PATH.podDisruptionBudgets("shop", "cache-redis-ha");
const service = expand({ redis: { a: "master" }, service: {} }).masterService;
if (service === undefined) throw new Error("a scenario with a Service has one");

const settings = (budget?: string) =>
  parseSettings({ "redis-ha.io/cluster": "cache", ...(budget === undefined ? {} : { "redis-ha.io/disruption-budget": budget }) })
    .settings;

interface Wish {
  readonly ready?: boolean;
  readonly redis?: boolean;
  readonly owner?: string;
  readonly going?: boolean;
}

function pod(name: string, { ready = true, redis = true, owner = "ReplicaSet", going = false }: Wish = {}): Pod {
  return {
    metadata: {
      name,
      namespace: "shop",
      labels: { app: "cache", "redis-ha.io/cluster": "cache", ...(redis ? { "redis-ha.io/has-redis": "true" } : {}) },
      ...(owner === ""
        ? {}
        : { ownerReferences: [{ apiVersion: "apps/v1", kind: owner, name: "x", uid: "x", controller: true }] }),
      ...(going ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    status: { phase: "Running", conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  } as unknown as Pod;
}

function budget(
  name: string,
  more: { ours?: boolean; spec?: object; expected?: number; stale?: boolean } = {},
): PodDisruptionBudget {
  const labels = more.ours === true ? { "redis-ha.io/cluster": "cache", "app.kubernetes.io/managed-by": "redis-ha" } : {};
  return {
    metadata: { name, namespace: "shop", uid: `uid-${name}`, resourceVersion: "7", generation: 2, labels },
    spec: more.spec ?? { maxUnavailable: 1, selector: { matchLabels: { app: "cache" } } },
    status: { observedGeneration: more.stale === true ? 1 : 2, expectedPods: more.expected ?? 3 },
  } as unknown as PodDisruptionBudget;
}

const inForce = (max = 1) => budgetSpec({ part: "redis" }, "cache", max);
const ours = (more: Parameters<typeof budget>[1] = {}) => budget("cache-redis-ha", { ours: true, spec: inForce(), ...more });
const three = ["a", "b", "c"].map((name) => pod(name));
const plan = (pods: Pod[], budgets: PodDisruptionBudget[], wish?: string): BudgetPlan => {
  const facts = budgetFacts("redis", "cache", pods, budgets);
  return planBudget(facts, settings(wish), isBudgetSpec(facts, "cache"));
};

describe("what is planned", () => {
  const nothing = { act: "nothing" };
  const retire = (atOnce: boolean) => ({ act: "retire", atOnce });
  test.each<[string, Pod[], PodDisruptionBudget[], string | undefined, object]>([
    ["three pods and none there", three, [], undefined, { act: "make", maxUnavailable: 1 }],
    ["so many as the annotation says", three, [], "2", { act: "make", maxUnavailable: 2 }],
    ["the annotation says none", three, [], "none", nothing],
    ["one pod", [pod("a")], [], undefined, nothing],
    ["a rollout of one pod", [pod("a"), pod("b", { ready: false })], [], undefined, nothing],
    ["one of two is going", [pod("a"), pod("b", { going: true })], [], undefined, nothing],
    ["pods that nobody keeps", [pod("a"), pod("b", { owner: "" })], [], undefined, nothing],
    ["pods of a DaemonSet, which has no scale", [pod("a"), pod("b", { owner: "DaemonSet" })], [], undefined, nothing],
    [
      "pods of a StatefulSet",
      [pod("a", { owner: "StatefulSet" }), pod("b", { owner: "StatefulSet" })],
      [],
      undefined,
      { act: "make" },
    ],
    ["a person's selects the pods", three, [budget("mine")], undefined, nothing],
    ["a person's selects everything", three, [budget("mine", { spec: { selector: {} } })], undefined, nothing],
    ["a person's without a selector selects nobody", three, [budget("mine", { spec: {} })], undefined, { act: "make" }],
    [
      "a person's of other pods",
      three,
      [budget("mine", { spec: { selector: { matchLabels: { app: "web" } } } })],
      undefined,
      { act: "make" },
    ],
    [
      "somebody has our name",
      three,
      [budget("cache-redis-ha", { spec: { selector: { matchLabels: { app: "web" } } } })],
      undefined,
      nothing,
    ],
    ["ours is retired and wanted again", three, [ours({ spec: { maxUnavailable: 1 } })], undefined, { act: "make" }],
    ["ours is retired, beside a person's", three, [ours({ spec: { maxUnavailable: 1 } }), budget("mine")], undefined, nothing],
    ["ours is as it should be", three, [ours()], undefined, nothing],
    ["ours was changed by hand", three, [ours({ spec: inForce(3) })], undefined, { act: "repair", maxUnavailable: 1 }],
    ["the annotation changed", three, [ours()], "2", { act: "repair", maxUnavailable: 2 }],
    ["ours, and the annotation says none", three, [ours()], "none", retire(true)],
    ["ours, and a person's", three, [ours(), budget("mine")], undefined, retire(true)],
    ["ours, and one pod was just evicted", [pod("a")], [ours({ expected: 2 })], undefined, nothing],
    [
      "ours, and nobody is Ready",
      three.map(({ metadata }) => pod(metadata?.name ?? "", { ready: false })),
      [ours()],
      undefined,
      nothing,
    ],
    ["ours, scaled to one", [pod("a")], [ours({ expected: 1 })], undefined, retire(false)],
    ["ours, scaled to one but not yet counted", [pod("a")], [ours({ expected: 1, stale: true })], undefined, nothing],
    ["ours, and the group is gone", [], [ours()], undefined, retire(false)],
    ["ours, and the workload was deleted around its pods", [pod("a", { owner: "" })], [ours()], undefined, retire(false)],
  ])("%s", (_, pods, budgets, wish, expected) => {
    expect(plan(pods, budgets, wish)).toMatchObject(expected);
  });

  test("sentinels of their own have a budget of their own, one at a time; sidecars have none", () => {
    const sentinels = ["s", "t", "u"].map((name) => pod(name, { redis: false }));
    const facts = budgetFacts("sentinels", "cache", [...three, ...sentinels], [ours()]);
    expect(facts).toMatchObject({ name: "cache-redis-ha-sentinel", ready: 3, theirs: [] });
    expect(planBudget(facts, settings("2"), () => true)).toEqual({ act: "make", maxUnavailable: 1 });
    expect(planBudget(budgetFacts("sentinels", "cache", three, []), settings(), () => true)).toEqual({ act: "nothing" });
  });

  test("no pod is selected by both of ours", () => {
    const specs = (["redis", "sentinels"] as const).map((part) => budgetSpec({ part }, "cache", 1) as { selector: object });
    for (const one of [...three, pod("s", { redis: false })])
      expect(specs.filter(({ selector }) => selects(selector, one.metadata?.labels ?? {}))).toHaveLength(1);
  });
});

describe("what is done", () => {
  let api: FakeApi;
  beforeEach(async () => {
    api = await startFakeApi();
  });
  afterEach(async () => await api.close());

  const stored = (): PodDisruptionBudget | undefined => api.objects.get(PLACE) as PodDisruptionBudget | undefined;
  const step = async (wish?: string): Promise<string | undefined> => {
    const facts = budgetFacts("redis", "cache", three, [...api.objects.values()] as PodDisruptionBudget[]);
    return await applyBudget(api.kube, GROUP, facts, planBudget(facts, settings(wish), isBudgetSpec(facts, "cache")), service);
  };

  test("made with the Service as its owner, changed, put right with what a person added, and retired", async () => {
    expect(await step()).toMatch(/was made: of the group's redis pods at most 1/);
    expect(stored()).toMatchObject({
      metadata: {
        labels: { "redis-ha.io/cluster": "cache", "app.kubernetes.io/managed-by": "redis-ha" },
        ownerReferences: [{ kind: "Service", name: "cache-master" }],
      },
      spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: "IfHealthyBudget" },
    });
    expect(await step()).toBeUndefined();
    await api.kube.mergePatch(PLACE, { spec: { maxUnavailable: null, minAvailable: 3 } });
    expect(await step("2")).toMatch(/put right: .* at most 2/);
    expect(stored()?.spec).toEqual(inForce(2));
    expect(await step("none")).toMatch(/selects nobody any more: the group asks for none/);
    expect(stored()?.spec?.selector).toBeUndefined();
    expect(await step("none")).toBeUndefined();
    expect(await step()).toMatch(/put right: .* at most 1/);
    expect(stored()?.spec).toEqual(inForce());
  });

  test("one that came or changed in between is left to the next look", async () => {
    const facts = budgetFacts("redis", "cache", three, []);
    api.put(PLACE, { metadata: { name: "cache-redis-ha" } });
    expect(await applyBudget(api.kube, GROUP, facts, { act: "make", maxUnavailable: 1 }, service)).toBeUndefined();
    const old = budgetFacts("redis", "cache", three, [ours({ spec: inForce(3) })]);
    expect(await applyBudget(api.kube, GROUP, old, { act: "repair", maxUnavailable: 1 }, service)).toBeUndefined();
    expect(stored()?.spec).toBeUndefined();
  });
});

describe("when it is done", () => {
  const acts: string[] = [];
  let facts: BudgetFacts;
  let leading = true;
  let fails = false;
  const budgets = (): GroupBudgets => {
    const act = (what: string) => async () => {
      acts.push(what);
      if (fails) throw new Error("forbidden");
    };
    const options = {
      kube: { create: act("make"), mergePatch: act("patch") },
      group: GROUP,
      source: { leading: () => leading, budgets: () => [facts] },
      log: { warn: () => acts.push("warn") },
    };
    return new GroupBudgets(options as unknown as GroupOptions, { say: () => undefined } as unknown as GroupVoice);
  };
  const pass = async (ms: number): Promise<void> => {
    await vi.advanceTimersByTimeAsync(ms);
  };

  beforeEach(() => {
    vi.useFakeTimers();
    acts.length = 0;
    [leading, fails] = [true, false];
    facts = budgetFacts("redis", "cache", three, []);
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("made when two pods have been Ready for five seconds without a break, by the replica that leads", async () => {
    const kept = budgets();
    const short = budgetFacts("redis", "cache", [pod("a")], []);
    const long = facts;
    for (const [now, ms] of [
      [long, 4000],
      [short, 10],
      [long, 4000],
    ] as const) {
      facts = now;
      kept.keep(settings(), service);
      await pass(ms);
    }
    kept.keep(settings(), service);
    expect(acts).toEqual([]);
    leading = false;
    await pass(2000);
    kept.keep(settings(), service);
    expect(acts).toEqual([]);
    leading = true;
    kept.keep(settings(), undefined);
    expect(acts, "nobody to own it").toEqual([]);
    kept.keep(settings(), service);
    expect(acts).toEqual(["make"]);
  });

  test("retired at once where a person's selects the same pods, and not twice", async () => {
    facts = budgetFacts("redis", "cache", three, [ours(), budget("mine")]);
    const kept = budgets();
    kept.keep(settings(), service);
    await pass(100);
    kept.keep(settings(), service);
    expect(acts).toEqual(["patch"]);
  });

  test("a failure is told, and tried again in a minute", async () => {
    fails = true;
    facts = budgetFacts("redis", "cache", three, [ours({ spec: inForce(3) })]);
    const kept = budgets();
    for (let second = 0; second < 59; second += 1) {
      kept.keep(settings(), service);
      await pass(1000);
    }
    expect(acts).toEqual(["patch", "warn"]);
    await pass(2000);
    kept.keep(settings(), service);
    await pass(1);
    expect(acts).toEqual(["patch", "warn", "patch", "warn"]);
  });
});
