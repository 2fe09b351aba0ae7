import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { keepTimeline, Stopwatch } from "../../../handlers/act/timeline.ts";
import { nameAt } from "../../../handlers/policies/view.ts";
import { PATH } from "../../../kube/paths.ts";
import type { Service } from "../../../kube/types.ts";
import { MARK } from "../../../model/names.ts";
import {
  mergeTimelines,
  packTimelines,
  TIMELINES,
  TIMELINES_BYTES,
  type Timeline,
  unpackTimelines,
} from "../../../model/timeline.ts";
import { expand } from "../../scenarios/expand.ts";
import { type FakeApi, kubeOf, startFakeApi } from "../kube/fake-api.ts";

const one = (second: number, cause = "pod a is being deleted"): Timeline => ({
  kind: "handover",
  cause,
  startedAt: new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
  from: "cache-a",
  to: "cache-b",
  outcome: "done",
  steps: [
    { step: "paused", ms: 1.2 },
    { step: "equal", ms: 3 },
  ],
});
const many = (count: number, cause?: string): Timeline[] => Array.from({ length: count }, (_, at) => one(count - at, cause));

describe("the kept timelines", () => {
  test("come back as they were written", () => {
    expect(unpackTimelines(packTimelines(many(3)))).toEqual(many(3));
  });

  test("are the newest ones, each once", () => {
    expect(mergeTimelines([one(1), one(3)], [one(2), one(3)]).map(({ startedAt }) => startedAt.slice(17, 19))).toEqual([
      "03",
      "02",
      "01",
    ]);
    expect(mergeTimelines(many(50))).toHaveLength(TIMELINES);
  });

  test("are bounded in size, the oldest are left out", () => {
    const long = many(TIMELINES, "x".repeat(3000)).map((timeline) => ({
      ...timeline,
      from: "f".repeat(250),
      to: "t".repeat(250),
    }));
    const text = packTimelines(long);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(TIMELINES_BYTES);
    const kept = unpackTimelines(text);
    expect(kept.length).toBeGreaterThan(5);
    expect(kept[0]?.startedAt).toBe(long[0]?.startedAt);
  });

  test.each(["", "{}", "[1]", '[["nonsense"]]', '[["handover","t","f"]]', undefined])(
    "what a person wrote there is no timeline: %s",
    (text) => {
      expect(unpackTimelines(text)).toEqual([]);
    },
  );
});

describe("a stopwatch", () => {
  test("counts from the moment that it is given", () => {
    const watch = new Stopwatch("failover", "a is lost", "a", Date.now() - 500);
    const ms = watch.mark("detected");
    expect(ms).toBeGreaterThanOrEqual(500);
    expect(watch.text()).toBe(`detected ${ms} ms`);
  });
});

test("whoever was master is named as people know it: by the record, as a member, else by the address", () => {
  const facts = expand({ redis: { a: "master 1000", b: "replica a 1000" }, service: { selects: "a", record: "a epoch 7" } });
  const [a, b] = facts.members.map(({ pod }) => ({ ip: pod.ip ?? "", port: pod.port }));
  const gone = { ...facts, members: facts.members.slice(1) };
  expect([a, b].map((address) => address && nameAt(facts, address))).toEqual(["a", "b"]);
  expect(a && nameAt(gone, a)).toBe("a");
  expect(nameAt(facts, { ip: "10.9.9.9", port: 6379 })).toBe("10.9.9.9");
});

describe("keeping one on the Service", () => {
  let api: FakeApi;
  const group = { namespace: "shop", cluster: "cache" };
  const path = PATH.services("shop", "cache-master");
  const kept = (): Timeline[] =>
    unpackTimelines((api.objects.get(path) as Service | undefined)?.metadata?.annotations?.[MARK.timelines]);
  const service = (annotations: Record<string, string>): Service => ({
    metadata: { name: "cache-master", namespace: "shop", annotations },
  });

  beforeEach(async () => {
    api = await startFakeApi();
  });
  afterEach(async () => await api.close());

  test("two writers at once lose nothing", async () => {
    api.put(path, service({ [MARK.master]: "{}" }));
    const other = kubeOf(api.server);
    await Promise.all([
      keepTimeline(api.kube, group, "cache-master", one(1)),
      keepTimeline(other, group, "cache-master", one(2)),
    ]);
    other.close();
    expect(kept()).toEqual([one(2), one(1)]);
  });

  test("not on a Service that was given back", async () => {
    api.put(path, service({}));
    await keepTimeline(api.kube, group, "cache-master", one(1));
    expect(kept()).toEqual([]);
  });
});
