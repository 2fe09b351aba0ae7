import { describe, expect, test } from "vitest";
import { REASON } from "../../../model/reasons.ts";
import { adviceFor } from "../../../page/model/advice.ts";
import { createNews } from "../../../page/server/news.ts";
import { detailOf, rowOf, STALE_MS } from "../../../page/server/summary.ts";
import { reign, viewOf } from "../../page/story.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const healthy = {
  redis: { a: "master 1000", b: "replica a 990", c: "replica a 1000" },
  sentinels: { a: "a 7", b: "a 7", c: "a 7" },
  service: { selects: "a", record: "a epoch 7" },
};
const told = { namespace: "shop", cluster: "cache", situation: healthy, since: { at: NOW - 60_000, reason: REASON.HandedOver } };

describe("a row of the overview", () => {
  test("of a healthy group", () => {
    expect(rowOf(viewOf(told, NOW), NOW)).toEqual({
      namespace: "shop",
      cluster: "cache",
      state: "ok",
      master: "a",
      since: "2026-03-01T11:59:00.000Z",
      redis: { up: 3, all: 3 },
      sentinels: { up: 3, all: 3, needed: 2 },
      lagBytes: 10,
    });
  });

  test("facts that were not read anew are stale, and since when", () => {
    const view = viewOf(told, NOW);
    expect(rowOf(view, NOW + STALE_MS)).not.toHaveProperty("staleSince");
    expect(rowOf(view, NOW + STALE_MS + 1).staleSince).toBe(NOW);
  });

  test("before the first facts nothing is claimed", () => {
    const view = { group: { namespace: "shop", cluster: "cache" }, facts: undefined, plan: undefined, timelines: [] };
    expect(rowOf(view, NOW)).toMatchObject({ state: "unknown", redis: { up: 0, all: 0 } });
    expect(rowOf(view, NOW)).not.toHaveProperty("master");
  });

  test("a group that can't be logged in to is halted, and says why", () => {
    const halted = {
      reason: REASON.HaltedSecretMissing,
      message: "Secret cache-redis-ha is gone; put it back with: kubectl create",
    };
    const view = { group: { namespace: "shop", cluster: "cache" }, facts: undefined, plan: undefined, timelines: [], halted };
    expect(rowOf(view, NOW).state).toBe("halted");
    const detail = detailOf(view, NOW);
    expect(detail.notes).toEqual([{ ...halted, level: "halted" }]);
    expect(adviceFor(detail)[0]?.commands.map(({ text }) => text)).toEqual(["kubectl create"]);
    expect(rowOf({ ...viewOf(told, NOW), halted }, NOW).state).toBe("halted");
  });

  test("a master that nobody confirms is none, and has no since", () => {
    const situation = { ...healthy, redis: { ...healthy.redis, a: "timeout" } };
    const row = rowOf(viewOf({ ...told, situation }, NOW), NOW);
    expect(row.state).toBe("masterless");
    expect(row).not.toHaveProperty("master");
    expect(row).not.toHaveProperty("since");
  });

  test("a replica of redis-ha that does not lead tells a halt by the Service's mark", () => {
    const situation = {
      redis: { a: "replica nobody 10", b: "replica nobody 9" },
      sentinels: { a: "idle", b: "idle" },
      service: { record: "c epoch 7", halted: "HaltedManualRecovery: recovery is manual" },
    };
    const view = viewOf({ ...told, situation, leading: false }, NOW);
    expect(view.plan?.state).not.toBe("halted");
    expect(rowOf(view, NOW).state).toBe("halted");
  });
});

describe("the detail of a group", () => {
  test("names pods where Redis and Sentinel know addresses", () => {
    const { members, service, record } = detailOf(viewOf(told, NOW), NOW);
    expect(service).toEqual({ name: "cache-master", exists: true, leadsTo: "a" });
    expect(record).toEqual({ pod: "a", since: "2026-03-01T11:59:00.000Z", reason: "HandedOver", epoch: 7 });
    expect(members.map(({ pod, redis }) => [pod, redis?.state === "up" ? redis.of : redis?.state])).toEqual([
      ["a", undefined],
      ["b", "a"],
      ["c", "a"],
    ]);
    expect(members[1]?.redis).toMatchObject({ lagBytes: 10, linkUp: true });
    expect(members[1]?.sentinel).toMatchObject({ names: "a", suspects: false });
  });

  test("one that does not answer: how, and since when", () => {
    const situation = { ...healthy, redis: { ...healthy.redis, c: "refused for=41s" } };
    const detail = detailOf(viewOf({ ...told, situation }, NOW), NOW);
    expect(detail.members[2]?.redis).toEqual({ state: "refused", since: NOW - 41_000 });
  });

  test("since when nobody is master, as long as nobody is", () => {
    const situation = { ...healthy, redis: { ...healthy.redis, a: "timeout" } };
    expect(detailOf(viewOf({ ...told, situation }, NOW), NOW).lostAt).toBe(NOW);
    expect(detailOf(viewOf(told, NOW), NOW)).not.toHaveProperty("lostAt");
  });

  test("a claim is no reign: neither now nor in the history", () => {
    const situation = { ...healthy, service: { selects: "a", record: "a epoch 7 claimed" } };
    const history = [reign("b", NOW - 9000, REASON.WaitingForPods, 0), reign("c", NOW - 10_000, REASON.FailedOver, 5)];
    const detail = detailOf(viewOf({ ...told, situation, since: { at: NOW, reason: REASON.WaitingForPods }, history }, NOW), NOW);
    expect(detail).not.toHaveProperty("record");
    expect(detail.history.map(({ pod }) => pod)).toEqual(["c"]);
  });

  test("neither the name of the Secret nor anything of the password is sent", () => {
    const settings = { auth: { kind: "secret", name: "top-hush", key: "pw" } } as never;
    const view = viewOf({ ...told, situation: { ...healthy, settings } }, NOW);
    expect(JSON.stringify(view.facts)).toContain("top-hush");
    expect(JSON.stringify(detailOf(view, NOW))).not.toMatch(/top-hush|secret|password|auth/i);
  });
});

describe("news", () => {
  test("are numbered, and a reader gets those that it does not have", () => {
    const news = createNews(() => NOW);
    news.heard({ reason: REASON.MasterDead, message: "a is dead", namespace: "shop", cluster: "cache" });
    news.heard({ reason: REASON.WritesLost, message: "lost 9 bytes", fields: { lostBytes: 9, password: "x" } });
    expect(news.after(0).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(news.after(1)).toEqual([
      { seq: 2, at: NOW, reason: "WritesLost", message: "lost 9 bytes", level: "warning", lostBytes: 9 },
    ]);
  });

  test("are bounded", () => {
    const news = createNews();
    for (let count = 0; count < 1000; count += 1) news.heard({ reason: REASON.ActFailed, message: "x" });
    expect(news.after(0)).toHaveLength(300);
    expect(news.newest).toBe(1000);
  });
});
