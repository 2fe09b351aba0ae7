/** A master whose container is killed is back, empty, in less time than anybody needs to call it down. Its emptiness must reach nobody. */
import { expect } from "vitest";
import { ANNOTATION } from "../../model/names.ts";
import { signal } from "./lib/bed.ts";
import { countOf, seed } from "./lib/data.ts";
import { underFault, verdict } from "./lib/fault.ts";
import { type Group, WHOLE_MS } from "./lib/group.ts";
import { withoutHandlers } from "./lib/handlers.ts";
import { annotatedQuickstart } from "./lib/quickstart.ts";
import { type Space, test } from "./lib/scenario.ts";
import { untilSettled } from "./lib/settled.ts";
import { say, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const KEYS = 50_000;
/** Replication is asynchronous: what the master had acknowledged and not yet sent at the moment of its death is gone. */
const KILL_LOST = 8;
/** Within this time a container is started again on a loaded machine too. */
const DOWN_AFTER_MS = 10_000;

/** A whole group in memory, no volume, with the keys on all three. */
async function groupWithKeys(space: Space): Promise<Group> {
  const group = space.group();
  await space.apply({ yaml: annotatedQuickstart(ANNOTATION.downAfter, `${DOWN_AFTER_MS}ms`) });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  await seed(group, "old", KEYS, "kept", EXPECTED.replicas);
  return group;
}

/**
 * Throws until the container of a pod has been started again, once, and returns how long it was away, ms. The kubelet tells whole seconds, so this may be a second too
 * much, and is never too little.
 */
async function awayMs(group: Group, pod: string): Promise<number> {
  const found = (await group.pods()).find(({ metadata }) => metadata?.name === pod);
  const status = found?.status?.containerStatuses?.find(({ name }) => name === "redis");
  const startedAt = status?.state?.running?.startedAt;
  const finishedAt = status?.lastState?.terminated?.finishedAt;
  if (status?.restartCount !== 1 || startedAt === undefined || finishedAt === undefined) throw new Error(`${pod} is not back`);
  return Date.parse(startedAt) - Date.parse(finishedAt) + 1000;
}

/** Else the test would show a master that was missed, and not one that came back too soon for that. */
async function backInTime(group: Group, pod: string): Promise<void> {
  const away = await waitUntil(`${pod} to be back`, 20_000, async () => await awayMs(group, pod));
  say(`${pod} was back, empty, in less than ${away} ms`);
  expect(away, "ms until the container ran again, of those until it is called down").toBeLessThanOrEqual(DOWN_AFTER_MS);
}

test("a master that is back empty at once gives its place to one with the 50,000 keys", async ({ bed, space }) => {
  const group = await groupWithKeys(space);
  await space.client.startWriters(await group.throughService());
  const { before } = await underFault(group, "back empty at once", EXPECTED, async (pod) => {
    await signal(bed, space.namespace, pod, "redis", "SIGKILL");
  });
  await backInTime(group, before);
  expect((await verdict(group)).missing).toBeLessThanOrEqual(KILL_LOST);
  expect(await countOf(group, "old", KEYS, "kept")).toBe(KEYS);
  for (const { ip, pod } of await group.redises())
    expect(await countOf(group, "old", KEYS, "kept", await group.at(ip)), `keys on ${pod}`).toBe(KEYS);
});

test("the same while no handlers run: stock Sentinel and the boot script alone lose nothing", async ({ bed, space }) => {
  const group = await groupWithKeys(space);
  const before = (await group.master()).name;
  await withoutHandlers(bed, async () => {
    await untilSettled(group, EXPECTED);
    await signal(bed, space.namespace, before, "redis", "SIGKILL");
    await backInTime(group, before);
    // Sentinel's own way, or the boot script's request, follows.
    await waitUntil("another master without handlers", WHOLE_MS, async () => {
      const masters = (await group.redises()).filter(({ role }) => role === "master");
      const [one] = masters;
      if (masters.length !== 1 || one === undefined || one.pod === before)
        throw new Error(`masters: ${masters.map(({ pod }) => pod)}`);
      expect(await countOf(group, "old", KEYS, "kept", await group.at(one.ip))).toBe(KEYS);
      say(`without handlers: ${before} → ${one.pod}`);
    });
  });
  await waitUntil("a whole group again", WHOLE_MS, async () => await group.whole(EXPECTED));
  expect(await countOf(group, "old", KEYS, "kept")).toBe(KEYS);
});
