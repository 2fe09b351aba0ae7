import { describe, expect, test } from "vitest";
import { merge } from "../../../cli/handlers.ts";
import { PLAIN } from "../../../cli/paper.ts";
import { fromHandlers } from "../../../cli/status/from-handlers.ts";
import { fromKubernetes, groupsIn } from "../../../cli/status/from-kubernetes.ts";
import { unread } from "../../../cli/status/read.ts";
import { renderGroup, renderList } from "../../../cli/status/render.ts";
import type { GroupStatus } from "../../../cli/status/status.ts";
import type { Timeline } from "../../../handlers/act/timeline.ts";
import type { GroupView } from "../../../handlers/group.ts";
import { decide, freshMemory } from "../../../handlers/policies/decide.ts";
import type { Pod, Service } from "../../../kube/types.ts";
import { REASON } from "../../../model/reasons.ts";
import { expand, type Situation, START } from "../../scenarios/expand.ts";

const HEALTHY: Situation = {
  at: "60s",
  redis: { a: "master 1000", b: "replica a 1000", c: "replica a 900" },
  sentinels: { a: "a 7", b: "a 7", c: "a 7" },
  service: { selects: "a", record: "a epoch 7 since=-60s" },
};

const TIMELINE: Timeline = {
  kind: "handover",
  cause: "a person asked for it",
  startedAt: new Date(START).toISOString(),
  from: "b",
  to: "a",
  outcome: "done",
  steps: [
    { step: "paused", ms: 1.5 },
    { step: "routed", ms: 1250 },
  ],
};

/** What goes over the wire: the same as in the cluster, Maps and undefined included. */
function viewOf(situation: Situation, timelines: Timeline[] = []): GroupView {
  const facts = expand(situation);
  const plan = decide(facts, { ...freshMemory(START - 600_000), leadingSince: START - 600_000 });
  return JSON.parse(JSON.stringify({ group: facts.group, facts, plan, timelines })) as GroupView;
}

function statusOf(situation: Situation, timelines: Timeline[] = []): GroupStatus {
  const status = fromHandlers(viewOf(situation, timelines));
  if (status === undefined) throw new Error("no status");
  return status;
}

const text = (status: GroupStatus): string => renderGroup(status, PLAIN, START + 60_000).join("\n");

describe("from the handlers", () => {
  test("a whole group: master, since when and why, lag, sentinels, last change with its steps", () => {
    expect(text(statusOf(HEALTHY, [TIMELINE]))).toMatchInlineSnapshot(`
      "shop/cache  ok
        master   a since 2025-12-31T23:59:00.000Z (2 min, MasterRouted)
        Service  cache-master → a

        POD  ROLE     NODE    LINK  OFFSET  LAG    KEYS  SENTINEL  IN SYNC
        a    master   node-1  -     1000    -      100   ok        -
        b    replica  node-1  up    1000    0 B    100   ok        -
        c    replica  node-1  up    900     100 B  100   ok        -

        sentinels  3 of 3 answer, 2 are needed to elect a master

        last change  handover b → a, 60 s ago (2026-01-01T00:00:00.000Z), done
          because  a person asked for it
          paused      1.5 ms
          routed      1.25 s"
    `);
  });

  test("a replica whose link is down, one that copies, one that does not answer", () => {
    const status = statusOf({
      ...HEALTHY,
      redis: { a: "master 1000", b: "replica a 900 down=3s", c: "replica a 0 syncing", d: "timeout for=4s" },
    });
    expect(status.state).toBe("degraded");
    expect(status.pods.map(({ name, role, link }) => `${name} ${role} ${link}`)).toEqual([
      "a master ",
      "b replica down 3 s",
      "c replica copying",
      "d unknown timeout for 4 s",
    ]);
  });

  test("a second writable node is called what it is", () => {
    const status = statusOf({ ...HEALTHY, redis: { a: "master 1000", b: "master 990", c: "replica a 1000" } });
    expect(status.pods.find(({ name }) => name === "b")).toMatchObject({ role: "master", note: "writable, but not the master" });
    expect(status.master).toBe("a");
  });

  test("sentinels: silent, in tilt, naming another, and too few to elect", () => {
    const status = statusOf({ ...HEALTHY, sentinels: { a: "a 7", b: "timeout", c: "a 7 tilt" } });
    expect(status.pods.map(({ sentinel }) => sentinel)).toEqual(["ok", "timeout", "tilt"]);
    expect(status.sentinels).toEqual({ answering: 1, known: 3, needed: 2 });
    expect(text(status)).toContain("QuorumLost");
    expect(text(status)).toContain("next: start the missing sentinels");
  });

  test("a halted group says why, and what to do with which pod", () => {
    const status = statusOf({
      at: "60s",
      settings: { recovery: "manual" },
      redis: { b: "replica nobody 0 keys=5 rdb=-60s boot=1s", c: "replica nobody 0 keys=9 rdb=-90s boot=1s" },
      sentinels: { b: "idle", c: "idle" },
      service: { selects: "a", record: "a epoch 7 since=-60s", halted: "recovery is manual" },
    });
    expect(status).toMatchObject({ state: "halted", master: undefined, halted: "recovery is manual" });
    expect(text(status)).toContain("next: bring the missing pods back, or choose by hand: redis-ha promote shop/cache c");
  });

  test("while the handlers have not read the group yet there is nothing to show", () => {
    expect(
      fromHandlers({ group: { namespace: "shop", cluster: "cache" }, facts: undefined, plan: undefined, timelines: [] }),
    ).toBeUndefined();
  });

  test("a group that they can't log in to is halted, and its message has the command", () => {
    const halted = {
      reason: REASON.HaltedSecretMissing,
      message: "Secret cache-redis-ha is gone; put it back with: kubectl create",
    };
    const view = { group: { namespace: "shop", cluster: "cache" }, facts: undefined, plan: undefined, timelines: [], halted };
    const status = unread(view, { pods: [], services: [] }, START);
    expect(status).toMatchObject({ state: "halted", source: "kubernetes" });
    const lines = renderGroup(status, PLAIN, START).join("\n");
    expect(lines).toContain("the handlers could not look at this group yet");
    expect(lines).toContain("halted: HaltedSecretMissing: Secret cache-redis-ha is gone");
    expect(lines).toContain("next: put the Secret back");
    const afterwards = fromHandlers({ ...viewOf(HEALTHY), halted });
    expect(afterwards).toMatchObject({ state: "halted", halted: expect.stringContaining("put it back with") });
  });

  test("a list has one line for each group", () => {
    expect(renderList([statusOf(HEALTHY)], PLAIN, START + 60_000)).toMatchInlineSnapshot(`
      [
        "NAMESPACE  GROUP  STATE  MASTER  REPLICAS  SENTINELS  SINCE  BECAUSE",
        "shop       cache  ok     a       2/2       3/3        2 min  MasterRouted",
      ]
    `);
  });
});

describe("of two replicas of the handlers", () => {
  test("the leader's account counts, and timelines are put together without repeats", () => {
    const leader = viewOf({ ...HEALTHY, leading: true }, [TIMELINE]);
    const other = viewOf({ ...HEALTHY, at: "70s", leading: false }, [
      TIMELINE,
      { ...TIMELINE, startedAt: "2027-01-01T00:00:00Z", to: "c" },
    ]);
    const [only, ...more] = merge([other, leader]);
    expect(more).toEqual([]);
    expect(only?.facts?.leading).toBe(true);
    expect(only?.timelines.map(({ to }) => to)).toEqual(["c", "a"]);
  });

  test("without a leader the newer account counts", () => {
    const [only] = merge([viewOf({ ...HEALTHY, leading: false }), viewOf({ ...HEALTHY, at: "70s", leading: false })]);
    expect(only?.facts?.at).toBe(START + 70_000);
  });
});

describe("from Kubernetes alone", () => {
  const labels = (name: string, role: string): Record<string, string> => ({
    "redis-ha.io/cluster": "cache",
    "redis-ha.io/instance": `i-${name}`,
    "redis-ha.io/has-redis": "true",
    "redis-ha.io/has-sentinel": "true",
    "redis-ha.io/role": role,
  });
  const pod = (name: string, role: string): Pod => ({
    metadata: { name, namespace: "shop", labels: labels(name, role) },
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
  });
  const service: Service = {
    metadata: {
      name: "cache-master",
      namespace: "shop",
      uid: "u",
      resourceVersion: "1",
      labels: { "redis-ha.io/cluster": "cache" },
      annotations: {
        "redis-ha.io/master": JSON.stringify({
          pod: "a",
          uid: "uid-a",
          instance: "i-a",
          ip: "10.0.0.1",
          epoch: 3,
          since: "2026-01-01T00:00:00Z",
          reason: "HandedOver",
        }),
      },
    },
    spec: { selector: { "redis-ha.io/cluster": "cache", "redis-ha.io/instance": "i-a" } },
  };
  const objects = { pods: [pod("a", "master"), pod("b", "replica")], services: [service] };

  test("what was last written is shown, and that it is only that", () => {
    const [group = { namespace: "", cluster: "" }] = groupsIn(objects);
    const status = fromKubernetes(objects, group, "the handlers were not asked: no pod of redis-ha runs", START);
    expect(status).toMatchObject({
      source: "kubernetes",
      state: "unknown",
      master: "a",
      masterReason: "HandedOver",
      leadsTo: ["a"],
    });
    expect(text(status)).toContain("the handlers were not asked: no pod of redis-ha runs");
    expect(text(status)).toContain("next: redis-ha doctor");
  });

  test("a Service that leads to a pod that is gone leads to nobody", () => {
    const status = fromKubernetes(
      { ...objects, pods: [pod("b", "replica")] },
      { namespace: "shop", cluster: "cache" },
      "away",
      START,
    );
    expect(status.leadsTo).toEqual([]);
    expect(status.master).toBeUndefined();
  });
});
