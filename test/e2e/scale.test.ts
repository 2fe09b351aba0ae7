import { join } from "node:path";
import { expect } from "vitest";
import { EXAMPLES } from "./lib/bed.ts";
import { gapText, servedGapMs } from "./lib/client-pod.ts";
import { verdict } from "./lib/fault.ts";
import { WHOLE_MS } from "./lib/group.ts";
import { test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

/** Scaling down may choose the master: then it is handed over, and writers see no more than that. */
const GAP_MS = 3000;

test("kubectl scale 3 → 5 → 3 under traffic: new replicas attach by themselves, nothing is lost", async ({ bed, space }) => {
  const group = space.group();
  const scale = async (replicas: number): Promise<void> => {
    await bed.kubectl(["-n", space.namespace, "scale", "deployment", "cache", `--replicas=${replicas}`]);
  };
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  const { master } = await waitUntil("a group of 3", WHOLE_MS, async () => await group.whole({ replicas: 2, sentinels: 3 }));
  await space.client.startWriters(await group.throughService());

  await scale(5);
  const larger = await waitUntil("a group of 5", WHOLE_MS, async () => await group.whole({ replicas: 4, sentinels: 5 }));
  expect(larger.master, "growing changes no master").toBe(master);

  await scale(3);
  const smaller = await waitUntil("a group of 3", WHOLE_MS, async () => await group.whole({ replicas: 2, sentinels: 3 }));
  const window = await space.client.window();
  say(
    `scale: ${gapText(window)} from ${window.gapStartedAt}, errors ${JSON.stringify(window.errors)}, master ${master} → ${smaller.master}`,
  );
  expect(servedGapMs(window)).toBeLessThan(GAP_MS);
  if (smaller.master !== master) expect((await group.history())[0]?.pod).toBe(master);
  expect((await verdict(group)).missing).toBe(0);
});
