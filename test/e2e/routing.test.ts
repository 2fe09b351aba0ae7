/** Somebody else writes the master Service's selector. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Service } from "../../kube/types.ts";
import { LABEL } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { EXAMPLES } from "./lib/bed.ts";
import { eventsSoFar } from "./lib/events.ts";
import { WHOLE_MS } from "./lib/group.ts";
import { test } from "./lib/scenario.ts";
import { countedByAllOfUs } from "./lib/us.ts";
import { say, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const FIGHT_MS = 4000;
/** Three repairs at once, then one a second, of each replica of the handlers. */
const MOST = 2 * (3 + FIGHT_MS / 1000 + 1);
test("somebody resets the selector again and again: repaired, counted and told, without a race", async ({ bed, space }) => {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const path = PATH.services(space.namespace, "cache-master");
  const { pod, name } = await group.master();
  const right = pod.metadata?.labels?.[LABEL.instance];
  const wrong = (await group.pods()).find(({ metadata }) => metadata?.name !== name)?.metadata?.labels?.[LABEL.instance];
  const counted = async (): Promise<number> =>
    await countedByAllOfUs(bed, `redis_ha_events_total{reason="${REASON.SelectorRepaired}"}`);
  const before = await counted();

  const reset = async (): Promise<boolean> => {
    const { spec } = await bed.kube.get<Service>(path);
    if (spec?.selector?.[LABEL.instance] !== right) return false;
    await bed.kube.mergePatch(path, { spec: { selector: { [LABEL.instance]: wrong } } });
    return true;
  };
  const told = async (): Promise<number> => {
    const events = await eventsSoFar(bed, space.namespace, "Service", "cache-master");
    const ours = events.filter(({ reason }) => reason === REASON.SelectorRepaired);
    expect(ours.every(({ message }) => message.includes("--show-managed-fields"))).toBe(true);
    return ours.reduce((sum, { count }) => sum + count, 0);
  };

  await reset();
  await waitUntil("the repair to be told", 5000, async () => expect(await told()).toBeGreaterThan(0));
  expect((await group.master()).name).toBe(name);

  let resets = 0;
  const until = performance.now() + FIGHT_MS;
  while (performance.now() < until) {
    if (await reset()) resets += 1;
    await sleep(20);
  }
  await waitUntil("the last repair", 5000, async () => expect((await group.master()).name).toBe(name));
  const repairs = (await counted()) - before;
  say(`the selector was reset ${resets} times in ${FIGHT_MS} ms, counted ${repairs} times`);
  expect(resets, "repaired again and again").toBeGreaterThan(3);
  expect(resets, "but not in a race").toBeLessThanOrEqual(MOST);
  // Each replica tells what it saw; two resets in a row that it saw as one are one.
  expect(repairs).toBeGreaterThanOrEqual(resets / 2);
  await waitUntil("all of it to be told", 5000, async () => expect(await told()).toBeGreaterThanOrEqual(resets / 2));
  expect(await group.history(), "no change of master").toHaveLength(0);
  // The connections to the one that the Service led to in between are cut, ours as well.
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
});
