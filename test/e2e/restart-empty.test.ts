/** A master whose container is killed is back, empty, in less time than anybody needs to call it down. Its emptiness must reach nobody. */
import { join } from "node:path";
import { expect } from "vitest";
import { EXAMPLES, signal } from "./lib/bed.ts";
import { countOf, seed } from "./lib/data.ts";
import { underFault, verdict } from "./lib/fault.ts";
import type { Group } from "./lib/group.ts";
import { withoutHandlers } from "./lib/handlers.ts";
import { type Space, test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

/** A sentinel that a busy machine has stalled for two seconds does nothing for thirty. */
const WHOLE_MS = 90_000;
const EXPECTED = { replicas: 2, sentinels: 3 };
const KEYS = 50_000;
/** Replication is asynchronous: what the master had acknowledged and not yet sent at the moment of its death is gone. */
const KILL_LOST = 8;

/** A whole group in memory, no volume, with the keys on all three. */
async function groupWithKeys(space: Space): Promise<Group> {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  await seed(group, "old", KEYS, "kept", EXPECTED.replicas);
  return group;
}

async function restarts(group: Group, pod: string): Promise<number> {
  const found = (await group.pods()).find(({ metadata }) => metadata?.name === pod);
  const status = found?.status?.containerStatuses?.find(({ name }) => name === "redis");
  if (status?.state?.running === undefined) throw new Error(`${pod} does not run`);
  return status.restartCount;
}

test("a master that is back empty at once gives its place to one with the 50,000 keys", async ({ bed, space }) => {
  const group = await groupWithKeys(space);
  await space.client.startWriters(await group.throughService());
  const { before } = await underFault(group, "back empty at once", EXPECTED, async (pod) => {
    await signal(bed, space.namespace, pod, "redis", "SIGKILL");
  });
  expect(await restarts(group, before)).toBe(1);
  expect((await verdict(group)).missing).toBeLessThanOrEqual(KILL_LOST);
  expect(await countOf(group, "old", KEYS, "kept")).toBe(KEYS);
  for (const { ip, pod } of await group.redises())
    expect(await countOf(group, "old", KEYS, "kept", await group.at(ip)), `keys on ${pod}`).toBe(KEYS);
});

test("the same while no handlers run: stock Sentinel and the boot script alone lose nothing", async ({ bed, space }) => {
  const group = await groupWithKeys(space);
  const before = (await group.master()).name;
  await withoutHandlers(bed, async () => {
    await signal(bed, space.namespace, before, "redis", "SIGKILL");
    await waitUntil(`${before} to be back`, 20_000, async () => expect(await restarts(group, before)).toBe(1));
    // down-after is 5 s; Sentinel's own way, or the boot script's request, follows.
    await waitUntil("another master without handlers", 45_000, async () => {
      const masters = (await group.redises()).filter(({ role }) => role === "master");
      const [one] = masters;
      if (masters.length !== 1 || one === undefined || one.pod === before)
        throw new Error(`masters: ${masters.map(({ pod }) => pod)}`);
      expect(await countOf(group, "old", KEYS, "kept", await group.at(one.ip))).toBe(KEYS);
      say(`without handlers: ${before} → ${one.pod}`);
    });
  });
  await waitUntil("a whole group again", 60_000, async () => await group.whole(EXPECTED));
  expect(await countOf(group, "old", KEYS, "kept")).toBe(KEYS);
});
