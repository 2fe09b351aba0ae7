/** What is injected for the spread of a group's pods, and that a person's own word always holds. */
import { describe, expect, test } from "vitest";
import { uninject } from "../../../cli/inject/uninject.ts";
import { injectPod } from "../../../webhook/inject/pod.ts";
import { at, type JsonObject } from "../../../webhook/json.ts";
import { apply, contextAt, injected, NOW, redisPod } from "./support.ts";

const pod = (annotations: Readonly<Record<string, string>> = {}, spec: JsonObject = {}, labels: JsonObject = {}): JsonObject => {
  const made = redisPod({ cluster: "cache", ...annotations }, spec);
  return { ...made, metadata: { ...(made.metadata as JsonObject), labels } };
};
const OF_DEPLOYMENT = { "pod-template-hash": "7d4b9" };
const constraints = (of: JsonObject) => at(of, "spec", "topologySpreadConstraints");
const zones = (of: JsonObject) => at(of, "spec", "affinity", "podAntiAffinity");

const servers = { matchLabels: { "redis-ha.io/cluster": "cache", "redis-ha.io/has-redis": "true" } };
const soft = {
  maxSkew: 1,
  topologyKey: "kubernetes.io/hostname",
  whenUnsatisfiable: "ScheduleAnyway",
  labelSelector: servers,
};

test("by default over nodes with a soft constraint, over zones with an affinity; only among pods of the same template", () => {
  const made = injected(pod({}, {}, OF_DEPLOYMENT));
  expect(constraints(made)).toEqual([{ ...soft, matchLabelKeys: ["pod-template-hash"] }]);
  expect(zones(made)).toEqual({
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: {
          topologyKey: "topology.kubernetes.io/zone",
          labelSelector: servers,
          matchLabelKeys: ["pod-template-hash"],
        },
      },
    ],
  });
});

test("pods of a StatefulSet, and of several Deployments in one group, are spread with all servers of the group", () => {
  expect(constraints(injected(pod()))).toEqual([soft]);
  for (const role of ["master", "replica"]) expect(constraints(injected(pod({ role }, {}, OF_DEPLOYMENT)))).toEqual([soft]);
});

test("sentinels of their own are spread among themselves", () => {
  const made = injected(pod({ role: "sentinel" }, {}, OF_DEPLOYMENT));
  expect(constraints(made)).toEqual([
    {
      ...soft,
      labelSelector: { matchLabels: { "redis-ha.io/cluster": "cache", "redis-ha.io/has-sentinel": "true" } },
      matchLabelKeys: ["pod-template-hash"],
    },
  ]);
});

test("require waits for a node, and does not count nodes that take no pod", () => {
  const made = injected(pod({ spread: "require" }));
  expect(constraints(made)).toEqual([{ ...soft, whenUnsatisfiable: "DoNotSchedule", nodeTaintsPolicy: "Honor" }]);
  expect(zones(made)).toBeDefined();
});

describe("left as it is", () => {
  const own = { topologySpreadConstraints: [{ maxSkew: 2, topologyKey: "rack", whenUnsatisfiable: "DoNotSchedule" }] };
  const apart = { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: "rack" }] } } };
  test.each<[string, Readonly<Record<string, string>>, JsonObject, number]>([
    ["none", { spread: "none" }, {}, 0],
    ["a constraint of the person's", {}, own, 0],
    ["a podAntiAffinity of the person's", {}, apart, 0],
    ["and it is said where the annotation was set too", { spread: "require" }, own, 1],
    ["but not with none", { spread: "none" }, own, 0],
  ])("%s", (_, annotations, spec, warnings) => {
    const before = pod(annotations, spec);
    const result = injectPod(before, contextAt());
    expect(result.errors).toEqual([]);
    expect(result.warnings).toHaveLength(warnings);
    expect(result.operations.filter(({ path }) => /affinity|topology/i.test(path))).toEqual([]);
  });

  test("the person's other affinities stay beside ours; empty or null lists are nobody's word", () => {
    const nodeAffinity = { preferredDuringSchedulingIgnoredDuringExecution: [] };
    const made = injected(pod({}, { affinity: { nodeAffinity }, topologySpreadConstraints: [] }));
    expect(at(made, "spec", "affinity", "nodeAffinity")).toEqual(nodeAffinity);
    expect(constraints(made)).toEqual([soft]);
    expect(constraints(injected(pod({}, { affinity: null, topologySpreadConstraints: null })))).toEqual([soft]);
  });
});

describe("a second time", () => {
  test("in the same request nothing is due, and what other webhooks made of it stays", () => {
    const once = injected(pod());
    expect(injectPod(once, contextAt()).operations).toEqual([]);
  });

  test("a template that was copied from a live pod gets its own group's, without the live pod's hash", () => {
    const live = structuredClone(injected(pod({}, {}, OF_DEPLOYMENT), contextAt(NOW - 3_600_000))) as {
      metadata: { annotations: Record<string, string>; labels: Record<string, string> };
      spec: { topologySpreadConstraints: { labelSelector: object }[] };
    };
    const hash = { key: "pod-template-hash", operator: "In", values: ["7d4b9"] };
    for (const one of live.spec.topologySpreadConstraints) Object.assign(one.labelSelector, { matchExpressions: [hash] });
    live.metadata.annotations["redis-ha.io/cluster"] = "other";
    live.metadata.labels = {};
    const copy = injected(live as unknown as JsonObject);
    expect(JSON.stringify([constraints(copy), zones(copy)])).not.toMatch(/7d4b9|"cache"/);
    expect(JSON.stringify(constraints(copy))).toContain('"other"');
    live.metadata.annotations["redis-ha.io/spread"] = "none";
    const none = injected(live as unknown as JsonObject);
    expect([constraints(none), zones(none)]).toEqual([undefined, undefined]);
  });
});

test("uninject takes ours out and leaves a person's", () => {
  const back = (of: JsonObject): JsonObject => apply(of, { operations: uninject(of).operations });
  expect(back(injected(pod()))).not.toHaveProperty(["spec", "affinity"]);
  expect(constraints(back(injected(pod())))).toBeUndefined();
  const own = { topologySpreadConstraints: [{ maxSkew: 2, topologyKey: "rack" }] };
  expect(constraints(back(injected(pod({}, own))))).toEqual(own.topologySpreadConstraints);
});
