import { describe, expect, test } from "vitest";
import { REASON } from "../../../model/reasons.ts";
import { bannerOf, replicaText, SILENT_MS, staleBanner } from "../../../page/model/freshness.ts";
import { verdictOf } from "../../../page/model/verdict.ts";
import { detailOf } from "../../../page/server/summary.ts";
import type { NewsItem } from "../../../page/wire.ts";
import { failover, type Told, viewOf } from "../../page/story.ts";
import type { Situation } from "../../scenarios/expand.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const healthy: Situation = {
  redis: { a: "master 1000", b: "replica a 990", c: "replica a 1000" },
  sentinels: { a: "a 7", b: "a 7", c: "a 7" },
  service: { selects: "a", record: "a epoch 7" },
};
const verdict = (situation: Situation, rest: Partial<Told> = {}, news: readonly NewsItem[] = []) =>
  verdictOf(detailOf(viewOf({ namespace: "shop", cluster: "cache", situation, ...rest }, NOW), NOW), news);
const since = (reason: string) => ({ since: { at: NOW - 1000, reason } });

describe("the five answers of a healthy group", () => {
  test("after a hand-over: who, since when, why, nothing lost, nothing to do", () => {
    const found = verdict(healthy, since(REASON.HandedOver));
    expect(found).toMatchObject({ state: { word: "Healthy" }, master: "a", since: NOW - 1000, advice: [], notes: [] });
    expect(found.why?.reason).toBe("HandedOver");
    expect(found.loss?.kind).toBe("none");
  });

  test("after a failover what was lost is not claimed to be nothing; the cause comes from its timeline", () => {
    const found = verdict(healthy, { ...since(REASON.FailedOver), timelines: [failover(NOW - 1060, "b", "a")] });
    expect(found.loss?.kind).toBe("unmeasured");
    expect(found.why?.cause).toContain("b is dead");
  });

  test("a timeline of another time does not explain it", () => {
    const found = verdict(healthy, { ...since(REASON.FailedOver), timelines: [failover(NOW - 120_000, "b", "a")] });
    expect(found.why?.cause).toBeUndefined();
  });

  test("the other handler's patch says only MasterRouted: the timeline tells how it was", () => {
    expect(verdict(healthy, since(REASON.MasterRouted)).loss?.kind).toBe("unknown");
    const timelines = [{ ...failover(NOW - 1060, "b", "a"), kind: "handover" as const }];
    const found = verdict(healthy, { ...since(REASON.MasterRouted), timelines });
    expect([found.loss?.kind, found.why?.reason]).toEqual(["none", "HandedOver"]);
  });

  test("measured losses are added up, those of this group and this reign only", () => {
    const lost = {
      seq: 1,
      at: NOW,
      reason: REASON.WritesLost,
      message: "b lost 70 bytes",
      level: "warning",
      lostBytes: 70,
    } as const;
    const news: NewsItem[] = [
      { ...lost, namespace: "shop", cluster: "cache" },
      { ...lost, namespace: "shop", cluster: "cache", lostBytes: 30 },
      { ...lost, namespace: "other", cluster: "cache" },
      { ...lost, namespace: "shop", cluster: "cache", at: NOW - 500_000 },
    ];
    expect(verdict(healthy, since(REASON.FailedOver), news).loss).toMatchObject({ kind: "lost", short: "100 B" });
  });
});

describe("what to do", () => {
  const halted: Situation = {
    settings: { recovery: "manual" },
    redis: { a: "replica nobody 500 keys=5", b: "replica nobody 900 keys=9" },
    sentinels: { a: "idle", b: "idle" },
    service: { record: "c epoch 7" },
  };

  test("a halted group: the reason, and for each candidate the command, the fullest first", () => {
    const found = verdict(halted, since(REASON.Bootstrapped));
    expect(found.state.word).toBe("Halted");
    expect(found.notes[0]).toMatchObject({ reason: "HaltedManualRecovery", level: "halted" });
    const risky = found.advice.flatMap(({ commands }) => commands).filter((command) => command.risky);
    expect(risky.map(({ text }) => text)).toEqual([
      "kubectl -n shop annotate service cache-master redis-ha.io/promote=b",
      "kubectl -n shop annotate service cache-master redis-ha.io/promote=a",
    ]);
    expect(found).toMatchObject({ master: undefined, lastMaster: "c" });
    expect(found.loss?.kind).toBe("unknown");
  });

  test("seen by a replica that does not lead, the same from the Service's mark", () => {
    const service = { record: "c epoch 7", halted: "HaltedManualRecovery: recovery is manual: b is the freshest" };
    const found = verdict({ ...halted, service }, { ...since(REASON.Bootstrapped), leading: false });
    expect(found.notes[0]).toEqual({
      reason: "HaltedManualRecovery",
      message: "recovery is manual: b is the freshest",
      level: "halted",
    });
  });

  test("a silent master: why nobody acts yet", () => {
    const found = verdict({ ...healthy, redis: { ...healthy.redis, a: "timeout" } }, since(REASON.Bootstrapped));
    expect(found.state.word).toBe("No master");
    expect(found.why?.text).toContain("does not answer");
    expect(found.advice[0]?.text).toContain("after 5 s");
  });

  test("a replica that is down in a group that works", () => {
    const found = verdict({ ...healthy, redis: { ...healthy.redis, c: "refused" } }, since(REASON.Bootstrapped));
    expect(found.state.word).toBe("Degraded");
    expect(found.advice.flatMap(({ commands }) => commands.map(({ text }) => text))).toContain("kubectl -n shop describe pod c");
  });
});

describe("what is not the present is not shown as such", () => {
  const replica = { pod: "r-1", version: "1", startedAt: 0, leads: true, handlers: true };

  test("old facts: stale, and what it was", () => {
    const view = viewOf({ namespace: "shop", cluster: "cache", situation: healthy }, NOW);
    const detail = detailOf(view, NOW + 60_000);
    const found = verdictOf(detail, []);
    expect(found.state.word).toBe("Stale");
    expect(found.headline).toContain("healthy");
    expect(staleBanner(detail)?.text).toContain("has not read the group since");
  });

  test("a connection that fell silent is lost, whatever the browser says", () => {
    const connection = { state: "open", heardAt: 1000 } as const;
    expect(bannerOf(connection, replica, 1000 + SILENT_MS - 1)).toBeUndefined();
    expect(bannerOf(connection, replica, 1000 + SILENT_MS)?.text).toContain("No answer from redis-ha since");
  });

  test("one that is being opened is silent too until something comes", () => {
    expect(bannerOf({ state: "connecting", heardAt: undefined }, undefined, 0)?.text).toContain("Connecting");
  });

  test("who answers, and whether it leads", () => {
    expect(replicaText(replica).long).toContain("It leads");
    expect(replicaText({ ...replica, leads: false, leader: "r-2" })).toMatchObject({
      short: "does not lead",
      long: expect.stringContaining("r-2 does"),
    });
    expect(replicaText({ ...replica, leads: false }).long).toContain("nobody is known to");
    expect(bannerOf({ state: "open", heardAt: 0 }, { ...replica, handlers: false }, 0)?.text).toContain("runs no handlers");
  });
});
