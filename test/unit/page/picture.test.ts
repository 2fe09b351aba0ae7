import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CARD, lagText, pictureOf } from "../../../page/model/picture.ts";
import { chartOf, meaningOf } from "../../../page/model/steps.ts";
import { detailOf } from "../../../page/server/summary.ts";
import { failover, viewOf } from "../../page/story.ts";
import type { Situation } from "../../scenarios/expand.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const NOW = Date.parse("2026-03-01T12:00:00Z");
const healthy: Situation = {
  redis: { a: "master 1000", b: "replica a 990", c: "replica a 1000" },
  sentinels: { a: "a 7", b: "a 7", c: "a 7" },
  service: { selects: "a", record: "a epoch 7" },
};
const picture = (situation: Situation) =>
  pictureOf(detailOf(viewOf({ namespace: "shop", cluster: "cache", situation }, NOW), NOW));
const middle = (row: number): number => row * (CARD.height + CARD.gap) + CARD.height / 2;

describe("the Service's arrow", () => {
  test("leads to the master's card", () => {
    expect(picture(healthy).arrow).toEqual({ to: "a", y: middle(0), good: true });
  });

  test("moves with the selector; the cards stay where they are", () => {
    const after = picture({
      redis: { a: "refused", b: "master 1000", c: "replica b 1000" },
      sentinels: { a: "b 8", b: "b 8", c: "b 8" },
      service: { selects: "b", record: "b epoch 8" },
    });
    expect(after.arrow).toEqual({ to: "b", y: middle(1), good: true });
    expect(after.cards.map(({ pod, y }) => [pod, y])).toEqual(picture(healthy).cards.map(({ pod, y }) => [pod, y]));
  });

  test("is broken where it leads to one that nobody confirms", () => {
    const dead = picture({ ...healthy, redis: { a: "timeout", b: "replica a 990 down=1s", c: "replica a 990 down=1s" } });
    expect(dead.arrow).toMatchObject({ to: "a", good: false });
    expect(dead.links).toEqual([]);
    expect(dead.text).toContain("not confirmed as master");
  });

  test("is none where the selector names nobody", () => {
    const nobody = picture({ ...healthy, service: { record: "z epoch 7" } });
    expect(nobody.arrow).toBeUndefined();
    expect(nobody.text).toContain("leads nowhere");
  });
});

describe("links", () => {
  test("run from the master to each that follows it, the farther one outside", () => {
    const { links } = picture(healthy);
    expect(links.map(({ to, from, at, state }) => [to, from, at, state])).toEqual([
      ["b", middle(0), middle(1), "live"],
      ["c", middle(0), middle(2), "live"],
    ]);
    expect(links[1]?.reach).toBeGreaterThan(links[0]?.reach ?? 0);
  });

  test("tell a copy under way and a broken link apart", () => {
    const { links } = picture({ ...healthy, redis: { a: "master 1000", b: "replica a 10 syncing", c: "replica a 900 down=4s" } });
    expect(links.map(({ state }) => state)).toEqual(["syncing", "down"]);
  });

  test("one that follows somebody else has none, and its card says whom", () => {
    const { links, cards } = picture({ ...healthy, redis: { a: "master 1000", b: "replica a 1000", c: "replica b 1000" } });
    expect(links.map(({ to }) => to)).toEqual(["b"]);
    expect(cards[2]?.facts[0]).toBe("follows b");
  });
});

describe("cards", () => {
  test("say the role, how far behind, and what the sentinel thinks", () => {
    const { cards } = picture(healthy);
    expect(cards.map(({ role, lag, sentinel }) => [role, lag, sentinel?.text])).toEqual([
      ["master", undefined, "sentinel agrees"],
      ["replica", "10 B behind", "sentinel agrees"],
      ["replica", "in step", "sentinel agrees"],
    ]);
  });

  test("a second one that says master stands out", () => {
    const { cards } = picture({ ...healthy, redis: { a: "master 1000", b: "master 900", c: "replica a 1000" } });
    expect(cards[1]).toMatchObject({ role: "down", roleText: "Says master", tone: "bad" });
  });

  test("pods that only run a sentinel come after those with a redis", () => {
    const { cards } = picture({
      redis: { f: "master 1000", g: "replica f 1000" },
      sentinels: { a: "f 7", b: "f 7", c: "g 6" },
      service: { selects: "f", record: "f epoch 7" },
    });
    expect(cards.map(({ pod, role }) => `${pod} ${role}`)).toEqual([
      "f master",
      "g replica",
      "a sentinel",
      "b sentinel",
      "c sentinel",
    ]);
    expect(cards[4]?.sentinel).toEqual({ text: "sentinel names g", tone: "warn" });
  });

  test("a suspicion is told before it becomes a failover", () => {
    const { cards } = picture({ ...healthy, sentinels: { a: "a 7", b: "a 7 s_down", c: "a 7 electing" } });
    expect(cards.map(({ sentinel }) => sentinel?.text)).toEqual([
      "sentinel agrees",
      "sentinel misses the master",
      "sentinel is electing",
    ]);
  });

  test("what is not known of a lag is not said", () => {
    const line = { state: "up", role: "replica", linkUp: true, syncing: false, loading: false, offset: 1, keys: 1 } as const;
    expect(lagText(line)).toBeUndefined();
    expect(lagText({ ...line, of: "a" })).toBeUndefined();
    expect(lagText({ ...line, of: "a", lagBytes: 0, lagSeconds: 4 })).toBe("in step, heard 4 s ago");
  });
});

describe("the step chart", () => {
  test("each bar begins where the one before it ended, and the longest is marked", () => {
    const { bars, total, ticks } = chartOf(failover(NOW, "a", "b"));
    expect(total).toBe(58.2);
    expect(bars.map(({ step, took }) => [step, took])).toEqual([
      ["voted", 3.1],
      ["promoted", 1.5],
      ["agreed", 8.2],
      ["patched", 8.6],
      ["endpoint", 36.8],
    ]);
    for (const [at, { left, width }] of bars.slice(0, -1).entries()) expect(bars[at + 1]?.left).toBeCloseTo(left + width, 5);
    expect(bars.filter(({ longest }) => longest).map(({ step }) => step)).toEqual(["endpoint"]);
    expect(ticks.map(({ ms }) => ms)).toEqual([0, 20, 40]);
  });

  test("a step without time is still seen, and nothing leaves the chart", () => {
    const { bars } = chartOf({
      ...failover(NOW, "a", "b"),
      steps: [
        { step: "x", ms: 100 },
        { step: "y", ms: 100 },
      ],
    });
    for (const { left, width } of bars) expect(left + width).toBeLessThanOrEqual(100.001);
    expect(bars[1]?.width).toBeGreaterThan(0);
  });

  test("every step that the handlers take has its meaning", () => {
    const acts = globSync("handlers/act/*.ts", { cwd: ROOT }).map((file) => readFileSync(join(ROOT, file), "utf8"));
    const steps = new Set(acts.flatMap((text) => [...text.matchAll(/\.mark\("(\w+)"\)/g)].map(([, step = ""]) => step)));
    expect(steps).toContain("voted");
    expect([...steps].filter((step) => meaningOf(step) === step)).toEqual([]);
  });

  test("no step at all", () => {
    expect(chartOf({ ...failover(NOW, "a", "b"), steps: [] })).toEqual({ total: 0, bars: [], ticks: [{ ms: 0, left: 0 }] });
  });
});
