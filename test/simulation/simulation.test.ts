/** The simulator itself: the same plan gives the same story. The many seeds are in seeds.test.ts. */
import { afterAll, expect, test } from "vitest";
import { Crew } from "./crew.ts";
import type { Plan } from "./thread.ts";

const crew = new Crew(1);
afterAll(() => crew.end());

test("the same seed gives the same story, the next one another", async () => {
  const seeds = [3, 40, 41];
  const stories: string[] = [];
  for (const seed of [...seeds, ...seeds]) stories.push((await crew.run(seed, false)).hash);
  expect(stories.slice(3)).toEqual(stories.slice(0, 3));
  expect(new Set(stories).size).toBe(3);
}, 60_000);

test("the death of a master is a story with an end", async () => {
  const plan: Plan = {
    seed: 5,
    shape: {
      replicas: 3,
      stateful: false,
      persistence: "none",
      volume: false,
      downAfterMs: 5000,
      failoverTimeoutMs: 10_000,
      handlers: 2,
      shared: false,
    },
    faults: [{ at: 100, kind: "kill redis", target: "master" }],
  };
  const verdict = await crew.run(plan, true);
  const story = verdict.story.join("\n");
  expect(verdict.broken).toBe("");
  expect(story).toMatch(
    /FAULT +kill redis target=master[\s\S]*MasterDead[\s\S]*becomes a master[\s\S]*FailedOver[\s\S]*is well again/,
  );
  expect(verdict.acknowledged).toBeGreaterThan(10);
}, 60_000);
