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

test("a group that was removed with everything of it is made anew under the same name", async ({ bed, space }) => {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a ready group", 30_000, async () => await group.ready({ replicas: 2, sentinels: 3 }));
  const password = await group.password();
  const inside = ["-n", space.namespace];
  await bed.kubectl([...inside, "delete", "deployment", "cache", "--wait=false"]);
  await bed.kubectl([...inside, "delete", "pods", "-l", "app=cache", "--force", "--grace-period=0"]);
  await bed.kubectl([...inside, "delete", "services,secrets", "-l", "redis-ha.io/cluster=cache"]);

  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  const again = space.group("cache", { anew: true });
  await waitUntil("a ready group again", 60_000, async () => await again.ready({ replicas: 2, sentinels: 3 }));
  expect(await again.password()).not.toBe(password);
  expect(await again.history()).toEqual([]);
});
