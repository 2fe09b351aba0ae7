import { describe, expect, test } from "vitest";
import { ANNOTATION, LABEL } from "../../../model/names.ts";
import { injectWorkload } from "../../../webhook/inject/workload.ts";
import { at, type JsonObject } from "../../../webhook/json.ts";
import { apply, contextAt } from "./support.ts";

type Maps = { readonly annotations?: Record<string, string>; readonly labels?: Record<string, string> };

function workload(
  own: Maps,
  template: Maps = {},
  more: { readonly kind?: string; readonly spec?: JsonObject; readonly pod?: JsonObject } = {},
): JsonObject {
  return {
    apiVersion: "apps/v1",
    kind: more.kind ?? "Deployment",
    metadata: { name: "cache", ...own },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: "cache" } },
      template: {
        metadata: { ...template, labels: { app: "cache", ...template.labels } },
        spec: more.pod ?? { containers: [{ name: "redis", image: "redis:7" }] },
      },
      ...more.spec,
    },
  };
}

const cluster = { [ANNOTATION.cluster]: "cache" };
const templateAnnotations = (object: JsonObject) => at(object, "spec", "template", "metadata", "annotations");

function inject(object: JsonObject, oldObject?: JsonObject) {
  const result = injectWorkload(object, { ...contextAt(), oldObject });
  return { ...result, object: apply(object, result) };
}

describe("copies annotations of ours into the template", () => {
  test("the cluster alone, into a template without annotations", () => {
    const result = inject(workload({ annotations: { ...cluster, "example.com/other": "x" } }));
    expect(result).toMatchObject({ errors: [], warnings: [] });
    expect(templateAnnotations(result.object)).toEqual(cluster);
  });

  test("every setting, beside the template's own annotations", () => {
    const wishes = { ...cluster, [ANNOTATION.quorum]: "2", [ANNOTATION.downAfter]: "3s" };
    const { object } = inject(workload({ annotations: wishes }, { annotations: { "prometheus.io/scrape": "true" } }));
    expect(templateAnnotations(object)).toEqual({ "prometheus.io/scrape": "true", ...wishes });
  });

  test("labels of the workload too", () => {
    const { object } = inject(workload({ labels: { [LABEL.cluster]: "cache", [LABEL.role]: "replica" } }));
    expect(templateAnnotations(object)).toEqual({ ...cluster, [ANNOTATION.role]: "replica" });
  });

  test("a StatefulSet as well", () => {
    const { object } = inject(
      workload({ annotations: cluster }, {}, { kind: "StatefulSet", spec: { podManagementPolicy: "Parallel" } }),
    );
    expect(templateAnnotations(object)).toEqual(cluster);
  });

  test("a template without metadata", () => {
    const object = { metadata: { annotations: cluster }, spec: { template: { spec: { containers: [{ name: "redis" }] } } } };
    expect(at(inject(object).object, "spec", "template", "metadata")).toEqual({ annotations: cluster });
  });

  test("once", () => {
    const { object } = inject(workload({ annotations: cluster }));
    expect(inject(object).operations).toEqual([]);
    expect(inject(object, object).operations).toEqual([]);
  });

  test("nothing when the template says it all", () => {
    expect(inject(workload({}, { annotations: cluster }))).toMatchObject({ operations: [], errors: [], warnings: [] });
  });

  test("nothing when nobody asked", () => {
    expect(inject(workload({ annotations: { a: "b" } }))).toMatchObject({ operations: [], skipped: "not-annotated" });
  });
});

describe("where both say something", () => {
  test("the template wins, with a warning", () => {
    const { operations, warnings } = inject(
      workload(
        { annotations: { ...cluster, [ANNOTATION.quorum]: "3" } },
        { annotations: { ...cluster, [ANNOTATION.quorum]: "2" } },
      ),
    );
    expect(operations).toEqual([]);
    expect(warnings).toEqual([`${ANNOTATION.quorum}: the pod template's own value is kept, the workload's differs`]);
  });

  test("a label of the template counts as its own value", () => {
    const { operations, warnings } = inject(
      workload({ annotations: { [ANNOTATION.cluster]: "a" } }, { labels: { [LABEL.cluster]: "b" } }),
    );
    expect(operations).toEqual([]);
    expect(warnings).toHaveLength(1);
  });

  test("a changed wish is followed where the template has the copy of the former one", () => {
    const before = inject(workload({ annotations: { ...cluster, [ANNOTATION.quorum]: "2" } })).object;
    const after = structuredClone(before) as { metadata: { annotations: Record<string, string> } };
    after.metadata.annotations[ANNOTATION.quorum] = "3";
    const result = inject(after as unknown as JsonObject, before);
    expect(result.warnings).toEqual([]);
    expect(templateAnnotations(result.object)).toEqual({ ...cluster, [ANNOTATION.quorum]: "3" });
  });
});

describe("a wish that is taken back is taken out of the template too", () => {
  const without = (object: JsonObject, ...keys: string[]): JsonObject => {
    const copy = structuredClone(object) as {
      metadata: { annotations?: Record<string, string>; labels?: Record<string, string> };
    };
    for (const key of keys) {
      delete copy.metadata.annotations?.[key];
      delete copy.metadata.labels?.[key];
    }
    return copy as unknown as JsonObject;
  };

  test("the cluster: the pods become plain again", () => {
    const before = inject(workload({ annotations: cluster }, { annotations: { "example.com/other": "x" } })).object;
    const result = inject(without(before, ANNOTATION.cluster), before);
    expect(result.errors).toEqual([]);
    expect(result.warnings).toEqual([expect.stringContaining("redis-ha.io/cluster: removed from the pod template too")]);
    expect(result.warnings[0]?.length).toBeLessThanOrEqual(120);
    expect(templateAnnotations(result.object)).toEqual({ "example.com/other": "x" });
    expect(inject(result.object, result.object).operations).toEqual([]);
  });

  test("one setting, and a label", () => {
    const before = inject(workload({ annotations: { [ANNOTATION.quorum]: "2" }, labels: cluster })).object;
    const one = inject(without(before, ANNOTATION.quorum), before);
    expect(templateAnnotations(one.object)).toEqual(cluster);
    const all = inject(without(before, ANNOTATION.quorum, ANNOTATION.cluster), before);
    expect(templateAnnotations(all.object)).toEqual({});
  });

  test("the cluster alone, with other settings left: refused, with what else to remove", () => {
    const before = inject(workload({ annotations: { ...cluster, [ANNOTATION.quorum]: "2" } })).object;
    const { errors, operations } = inject(without(before, ANNOTATION.cluster), before);
    expect(operations).toEqual([]);
    expect(errors).toEqual([
      expect.stringContaining("redis-ha.io/cluster is missing"),
      expect.stringContaining("redis-ha.io/quorum-"),
    ]);
  });

  test("but not a value that the template has of its own, nor one that came with this very change", () => {
    const before = workload(
      { annotations: { ...cluster, [ANNOTATION.quorum]: "3" } },
      { annotations: { ...cluster, [ANNOTATION.quorum]: "2" } },
    );
    expect(inject(without(before, ANNOTATION.quorum), before).operations).toEqual([]);
    const moved = workload({}, { annotations: cluster });
    expect(inject(moved, workload({ annotations: cluster })).operations).toEqual([]);
  });
});

describe("a running group cannot change between plain and TLS", () => {
  const tls = { [ANNOTATION.tls]: "secret:cache-tls" };
  const own = (annotations: Record<string, string>, spec: JsonObject = {}) =>
    workload({ annotations }, { annotations }, { spec });
  const refused = [expect.stringContaining(`${ANNOTATION.tls}: pods with and without TLS do not understand each other`)];

  test.each([
    [
      "on, by the workload's annotation",
      workload({ annotations: { ...cluster, ...tls } }, { annotations: cluster }),
      own(cluster),
    ],
    ["on, by the template's", own({ ...cluster, ...tls }), own(cluster)],
    ["off", own(cluster), own({ ...cluster, ...tls })],
    ["off with everything else, which is the way back to plain pods", own({}), own({ ...cluster, ...tls })],
    [
      "off by taking back the wishes of the workload",
      workload({}, { annotations: { ...cluster, ...tls } }),
      own({ ...cluster, ...tls }),
    ],
  ])("%s: refused", (_, next, before) => {
    expect(injectWorkload(next, { ...contextAt(), oldObject: before })).toMatchObject({ errors: refused, operations: [] });
  });

  test.each([
    ["where nothing runs", own({ ...cluster, ...tls }), own(cluster, { replicas: 0 })],
    ["a plain server that becomes a group with TLS", own({ ...cluster, ...tls }), workload({})],
    ["a new group", own({ ...cluster, ...tls }), undefined],
    ["another Secret", own({ ...cluster, [ANNOTATION.tls]: "secret:other" }), own({ ...cluster, ...tls })],
    ["plain and of no group", workload({}), workload({})],
  ])("%s: allowed", (_, next, before) => {
    expect(injectWorkload(next, { ...contextAt(), oldObject: before }).errors).toEqual([]);
  });
});

describe("a running group cannot change between a password and none", () => {
  const open = { [ANNOTATION.auth]: "none" };
  const own = (annotations: Record<string, string>, spec: JsonObject = {}) => workload({}, { annotations }, { spec });
  const refused = [expect.stringContaining(`${ANNOTATION.auth}: pods with and without a password do not follow each other`)];
  const ask = (next: JsonObject, before?: JsonObject) => injectWorkload(next, { ...contextAt(), oldObject: before });

  test.each([
    ["off", own({ ...cluster, ...open }), own(cluster)],
    ["on", own(cluster), own({ ...cluster, ...open })],
    ["on, with a Secret", own({ ...cluster, [ANNOTATION.auth]: "secret:s/k" }), own({ ...cluster, ...open })],
    [
      "off, by the workload's annotation",
      workload({ annotations: { ...cluster, ...open } }, { annotations: cluster }),
      own(cluster),
    ],
  ])("%s: refused", (_, next, before) => {
    expect(ask(next, before)).toMatchObject({ errors: refused, operations: [] });
  });

  test.each([
    ["where nothing runs", own({ ...cluster, ...open }), own(cluster, { replicas: 0 })],
    ["a plain server that is adopted", own({ ...cluster, ...open }), workload({})],
    ["the way back", workload({}), own({ ...cluster, ...open })],
    ["a group of another name", own({ [ANNOTATION.cluster]: "other", ...open }), own(cluster)],
    ["another setting", own({ ...cluster, ...open, [ANNOTATION.quorum]: "2" }), own({ ...cluster, ...open })],
  ])("%s: allowed", (_, next, before) => {
    expect(ask(next, before).errors).toEqual([]);
  });

  test("another Secret is taken with a warning, for it may hold the same password", () => {
    const next = own({ ...cluster, [ANNOTATION.auth]: "secret:s/k" });
    expect(ask(next, own(cluster))).toMatchObject({
      errors: [],
      warnings: [expect.stringContaining("both Secrets must hold the same password")],
    });
    expect(ask(next, next).warnings).toEqual([]);
  });
});

describe("mistakes are answered at once", () => {
  test("those of the settings and of the pods it would make", () => {
    const { errors, operations } = inject(
      workload(
        { annotations: { ...cluster, [ANNOTATION.quorum]: "x" } },
        {},
        { pod: { hostNetwork: true, containers: [{ name: "redis" }] } },
      ),
    );
    expect(operations).toEqual([]);
    expect(errors).toEqual([expect.stringContaining("redis-ha.io/quorum"), expect.stringContaining("spec.hostNetwork")]);
  });

  test("a mistyped key is answered with the right one", () => {
    const { warnings } = inject(workload({ annotations: { ...cluster, "redis-ha.io/quorm": "2" } }));
    expect(warnings).toEqual(["redis-ha.io/quorm is not known: did you mean redis-ha.io/quorum?"]);
  });

  test.each([
    ["matchLabels", { matchLabels: { [LABEL.role]: "master" } }],
    ["matchExpressions", { matchExpressions: [{ key: LABEL.role, operator: "Exists" }] }],
  ])("a selector on the role label (%s), which the handlers change", (_name, selector) => {
    const { errors } = inject(workload({ annotations: cluster }, { labels: { [LABEL.role]: "master" } }, { spec: { selector } }));
    expect(errors).toEqual([expect.stringContaining("spec.selector: redis-ha.io/role is not allowed")]);
  });

  test("what was wrong before may be updated otherwise, a new mistake may not come in", () => {
    const wrong = workload({ annotations: { ...cluster, [ANNOTATION.quorum]: "x" } });
    const scaled = { ...wrong, metadata: { ...(wrong.metadata as object), labels: { team: "shop" } } } as JsonObject;
    const result = inject(scaled, wrong);
    expect(result.errors).toEqual([]);
    expect(result.warnings).toEqual(["redis-ha: this object has errors from before; its new pods will be refused"]);
    const worse = workload({ annotations: { ...cluster, [ANNOTATION.quorum]: "x", [ANNOTATION.port]: "y" } });
    expect(inject(worse, wrong).errors).toHaveLength(2);
  });

  test("an object without a template, as it was before: no patch that does not fit", () => {
    const bare = { apiVersion: "apps/v1", kind: "Deployment", metadata: { annotations: cluster } };
    expect(inject(bare, bare)).toMatchObject({ operations: [], errors: [] });
  });

  test("an object that is being deleted is never refused", () => {
    const object = workload({ annotations: { ...cluster, [ANNOTATION.quorum]: "x" } });
    Object.assign(object.metadata as object, { deletionTimestamp: "2026-11-22T12:00:00Z" });
    expect(inject(object)).toMatchObject({ operations: [], errors: [], skipped: "being-deleted" });
  });
});

describe("warnings of the shape", () => {
  test.each([
    ["Recreate", { kind: "Deployment", spec: { strategy: { type: "Recreate" } } }, "spec.strategy: Recreate ends all pods"],
    ["an orderly StatefulSet", { kind: "StatefulSet" }, "spec.podManagementPolicy: use Parallel"],
  ])("%s", (_name, more, text) => {
    const { warnings } = inject(workload({ annotations: cluster }, {}, more));
    expect(warnings).toEqual([expect.stringContaining(text)]);
    expect(warnings[0]?.length).toBeLessThanOrEqual(120);
  });
});
