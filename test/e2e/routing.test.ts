/** Somebody else writes the master Service's selector. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Service } from "../../kube/types.ts";
import { LABEL } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { EXAMPLES } from "./lib/bed.ts";
import { eventOf } from "./lib/events.ts";
import { test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const FIGHT_MS = 5000;
/** Three repairs at once, then one a second, of each replica of the handlers. */
const MOST = 2 * (3 + FIGHT_MS / 1000 + 1);

test("somebody resets the selector again and again: repaired and told, without a race", async ({ bed, space }) => {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", 60_000, async () => await group.whole(EXPECTED));
  const path = PATH.services(space.namespace, "cache-master");
  const { pod, name } = await group.master();
  const right = pod.metadata?.labels?.[LABEL.instance];
  const wrong = (await group.pods()).find(({ metadata }) => metadata?.name !== name)?.metadata?.labels?.[LABEL.instance];

  let resets = 0;
  const until = performance.now() + FIGHT_MS;
  while (performance.now() < until) {
    const { spec } = await bed.kube.get<Service>(path);
    if (spec?.selector?.[LABEL.instance] === right) {
      await bed.kube.mergePatch(path, { spec: { selector: { [LABEL.instance]: wrong } } });
      resets += 1;
    }
    await sleep(20);
  }
  say(`the selector was reset ${resets} times in ${FIGHT_MS} ms`);
  await waitUntil("the last repair", 5000, async () => expect((await group.master()).name).toBe(name));
  expect(resets, "repaired again and again").toBeGreaterThan(3);
  expect(resets, "but not in a race").toBeLessThanOrEqual(MOST);
  const event = await waitUntil("all of it to be told", 5000, async () => {
    const found = await eventOf(bed, space.namespace, "Service", "cache-master", REASON.SelectorRepaired);
    expect(found.count).toBeGreaterThan(1);
    return found;
  });
  say(`${event.count} times: ${event.message}`);
  // The connections to the one that the Service led to in between are cut, ours as well.
  await waitUntil("a whole group", 60_000, async () => await group.whole(EXPECTED));
});
