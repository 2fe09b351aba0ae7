/** What holds for every pod, tried on thousands of odd ones. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ANNOTATION, LABEL, MARK } from "../../../model/names.ts";
import { injectPod } from "../../../webhook/inject/pod.ts";
import { injectWorkload } from "../../../webhook/inject/workload.ts";
import { at, type Json, type JsonObject, objects } from "../../../webhook/json.ts";
import { apply, contextAt } from "./support.ts";

/** A field that no version of Kubernetes has yet; its content must never get into a patch. */
const UNKNOWN = "from-a-newer-version";
const unknown = fc.record({ futureField: fc.constant({ deep: [UNKNOWN, 1.5, { more: null }] }) }, { requiredKeys: [] });
const name = fc.constantFrom("redis", "valkey", "app", "proxy", "a", "istio-proxy", "redis-ha-sentinel");
const absent = fc.constantFrom(undefined, null);
const words = fc.oneof(absent, fc.array(fc.constantFrom("redis-server", "sh", "-c", "/etc/redis.conf", ""), { maxLength: 3 }));

const container = fc
  .tuple(
    unknown,
    fc.record(
      {
        name,
        image: fc.constantFrom("redis:7", "x"),
        command: words,
        args: words,
        env: fc.oneof(
          absent,
          fc.array(
            fc.record({ name: fc.constantFrom("TZ", "REDIS_HA_PORT", "REDISCLI_AUTH"), value: fc.constantFrom("1", "6379") }),
            { maxLength: 2 },
          ),
        ),
        volumeMounts: fc.oneof(absent, fc.constant([{ name: "data", mountPath: "/data" }]), fc.constant([])),
        lifecycle: fc.oneof(absent, fc.constant({}), fc.constant({ preStop: { sleep: { seconds: 1 } } })),
        readinessProbe: fc.oneof(absent, fc.constant({ httpGet: { port: 1 } })),
        securityContext: fc.oneof(absent, fc.record({ runAsUser: fc.constantFrom(0, 7) })),
      },
      { requiredKeys: ["name"] },
    ),
  )
  .map(([extra, known]) => ({ ...known, ...extra }));

const annotations = fc.record(
  {
    [ANNOTATION.cluster]: fc.constantFrom("cache", "cache", "cache", "Bad"),
    [ANNOTATION.role]: fc.constantFrom("auto", "master", "replica", "sentinel"),
    [ANNOTATION.sentinel]: fc.constantFrom("sidecar", "none"),
    [ANNOTATION.auth]: fc.constantFrom("none", "secret:a/b"),
    [ANNOTATION.container]: name,
    [MARK.status]: fc.constantFrom("{}", "not json", '{"at":"2026-11-22T12:00:00Z"}'),
    [MARK.sentinelSlot]: fc.constant("1"),
    "example.com/a~b": fc.constant("x"),
  },
  { requiredKeys: [ANNOTATION.cluster] },
);
const labels = fc.record(
  { app: fc.constant("x"), [LABEL.instance]: fc.constantFrom("abcdefghij", "short"), [LABEL.redis]: fc.constant("true") },
  { requiredKeys: [] },
);

const pod: fc.Arbitrary<JsonObject> = fc
  .record({
    metadata: fc.record({ annotations, labels: fc.oneof(absent, labels) }, { requiredKeys: ["annotations"] }),
    spec: fc
      .tuple(
        unknown,
        fc.record(
          {
            containers: fc.uniqueArray(container, { minLength: 1, maxLength: 3, selector: (item) => item.name }),
            initContainers: fc.oneof(absent, fc.uniqueArray(container, { maxLength: 2, selector: (item) => item.name })),
            volumes: fc.oneof(absent, fc.constant([]), fc.constant([{ name: "data", emptyDir: {} }])),
            readinessGates: fc.oneof(absent, fc.constant([{ conditionType: "example.com/gate" }])),
            terminationGracePeriodSeconds: fc.constantFrom(0, 30, 600),
            securityContext: fc.oneof(absent, fc.record({ runAsUser: fc.constantFrom(0, 7) })),
          },
          { requiredKeys: ["containers"] },
        ),
      )
      .map(([extra, known]) => ({ ...known, ...extra })),
  })
  // as it comes from the API server: without undefined
  .map((value) => JSON.parse(JSON.stringify(value)));

const check = (property: (object: JsonObject) => void) => fc.assert(fc.property(pod, property), { numRuns: 2_000 });
const random = () => 0.123;

describe("a pod", () => {
  test("takes the whole patch, and a second call finds nothing to do", () => {
    let taken = 0;
    check((object) => {
      const first = injectPod(object, contextAt(undefined, random));
      if (first.errors.length > 0) {
        expect(first.operations).toEqual([]);
        return;
      }
      taken += 1;
      const after = apply(object, first);
      expect(injectPod(after, contextAt(undefined, random)).operations).toEqual([]);
    });
    expect(taken).toBeGreaterThan(200);
  });

  test("is left as it came", () => {
    check((object) => {
      const text = JSON.stringify(object);
      injectPod(object, contextAt());
      expect(JSON.stringify(object)).toBe(text);
    });
  });

  test("keeps fields that we do not know: they are in no operation, and are there afterwards", () => {
    check((object) => {
      // a container of that name is a copy of ours, and made anew
      if (namesOf(at(object, "spec", "initContainers")).includes("redis-ha-sentinel")) return;
      const result = injectPod(object, contextAt());
      expect(JSON.stringify(result.operations)).not.toContain(UNKNOWN);
      expect(count(JSON.stringify(apply(object, result)), UNKNOWN)).toBe(count(JSON.stringify(object), UNKNOWN));
    });
  });

  test("keeps the user's containers, mounts and variables, in their order", () => {
    check((object) => {
      const after = apply(object, injectPod(object, contextAt()));
      for (const list of ["containers", "initContainers", "volumes"]) {
        const before = namesOf(at(object, "spec", list)).filter((item) => item !== "redis-ha-sentinel");
        const ours = ["redis-ha", "redis-ha-pod", "redis-ha-boot", "redis-ha-sentinel"];
        expect(namesOf(at(after, "spec", list)).filter((item) => !ours.includes(item))).toEqual(before);
      }
      for (const { object: container, index } of objects(at(object, "spec", "containers"))) {
        const changed = objects(at(after, "spec", "containers"))[index]?.object;
        const before = namesOf(at(container, "env"));
        expect(namesOf(at(changed, "env")).slice(0, before.length)).toEqual(before);
      }
    });
  });

  test("only adds, or replaces what is ours", () => {
    check((object) => {
      for (const { op, path } of injectPod(object, contextAt()).operations) {
        if (op === "replace")
          expect(path).toMatch(/^\/spec\/((initContainers|volumes)\/\d+|(init)?[cC]ontainers\/\d+\/env\/\d+)$/);
        if (op === "remove") expect(path).toMatch(/redis-ha.io~1|\/spec\/initContainers\/\d+$|\/args$/);
      }
    });
  });

  test("warnings are short", () => {
    check((object) => {
      for (const warning of injectPod(object, contextAt()).warnings) expect(warning.length).toBeLessThanOrEqual(120);
    });
  });
});

test("a good pod or workload with anything in any place: no exception, and a patch that fits", () => {
  const odd = fc.constantFrom<Json>(
    null,
    0,
    true,
    "",
    "cache",
    [],
    {},
    [null],
    [[]],
    [{}],
    [{ name: "redis" }],
    { name: null },
    { constructor: 1 },
  );
  let taken = 0;
  fc.assert(
    fc.property(pod, fc.array(fc.tuple(fc.nat(), odd), { minLength: 1, maxLength: 3 }), (good, changes) => {
      const bad = structuredClone(good);
      for (const [place, value] of changes) putAnywhere(bad, place, value);
      const workload = { metadata: bad.metadata, spec: { template: bad, selector: bad.spec } } as JsonObject;
      for (const [object, result] of [
        [bad, injectPod(bad, contextAt())],
        [workload, injectWorkload(workload, { ...contextAt(), oldObject: good })],
      ] as const) {
        if (result.operations.length > 0) taken += 1;
        apply(object, result);
      }
    }),
    { numRuns: 5_000 },
  );
  expect(taken).toBeGreaterThan(500);
}, 90_000);

/** Replaces the value at one of the places of a document. */
function putAnywhere(document: JsonObject, place: number, value: Json): void {
  const places: [Record<string, Json>, string][] = [];
  const walk = (here: unknown): void => {
    if (typeof here !== "object" || here === null) return;
    for (const key of Object.keys(here)) {
      places.push([here as Record<string, Json>, key]);
      walk((here as Record<string, unknown>)[key]);
    }
  };
  walk(document);
  const [holder, key] = places[place % places.length] ?? [];
  if (holder !== undefined && key !== undefined) holder[key] = structuredClone(value);
}

function namesOf(list: unknown): string[] {
  return objects(list).map(({ object }) => String(object.name));
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}
