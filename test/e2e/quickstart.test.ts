import { join } from "node:path";
import { expect } from "vitest";
import { EXAMPLES } from "./lib/bed.ts";
import { test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

const READY_MS = 15_000;

test("quickstart: one annotated Deployment is a writable group of three within 15 s", async ({ space }) => {
  const group = space.group();
  const start = performance.now();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a ready group", READY_MS, async () => await group.ready({ replicas: 2, sentinels: 3 }));
  const readyMs = Math.round(performance.now() - start);
  say(`ready after ${readyMs} ms`);
  expect(readyMs).toBeLessThanOrEqual(READY_MS);
  await waitUntil("a whole group", 15_000, async () => await group.whole({ replicas: 2, sentinels: 3 }));
});
