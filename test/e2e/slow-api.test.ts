/** The API server makes redis-ha wait in the middle of a failover: the route follows as soon as it can, and nothing else is given up. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { EXAMPLES, signal } from "./lib/bed.ts";
import { underFault, verdict } from "./lib/fault.ts";
import { test } from "./lib/scenario.ts";
import { untilSettled } from "./lib/settled.ts";
import { deadWebhook, refusedOf } from "./lib/slow-api.ts";
import { say, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
/** As asynchronous replication loses them; see failover.test.ts. */
const KILL_LOST = 8;
/** Every request is refused for so long after the master's death, and until redis-ha has tried to move the Service, ms. */
const REFUSED_MS = 2000;
/** Where the Lease is lost first, somebody tries only after Sentinel's own failover, ms. */
const TRIED_MS = 10_000;
/** Longer than all of this. */
const NO_SEATS_S = 30;
/** What a busy machine gets on top, ms. */
const FAILOVER_MS = 8000;
/** Longer than redis-ha gives one try before it begins the next, s. */
const SLOW_S = 4;

test("refused for lack of seats (429), then slowed down by somebody's dead webhook: the master Service moves nevertheless", async ({
  bed,
  space,
}) => {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await untilSettled(group, EXPECTED);
  const webhook = await deadWebhook(bed, space.namespace);
  await space.client.startWriters(await group.throughService());
  const refusals = async (): Promise<number> => await refusedOf(bed, "PATCH");
  const kill = async (name: string): Promise<void> => await signal(bed, space.namespace, name, "redis", "SIGKILL");

  const before = await refusals();
  let refusedMs = 0;
  const refused = await underFault(group, "kill -9 while every request is answered by 429", EXPECTED, async (master) => {
    const end = await webhook.noSeats(NO_SEATS_S);
    const since = performance.now();
    try {
      await kill(master);
      await sleep(REFUSED_MS);
      await waitUntil("a refused patch", TRIED_MS, async () => expect(await refusals()).toBeGreaterThan(before));
      expect((await group.master()).name, "nobody can move the Service").toBe(master);
    } finally {
      await end();
      refusedMs = performance.now() - since;
    }
  });
  say(`${(await refusals()) - before} patches were refused, in ${Math.round(refusedMs)} ms`);
  expect(refused.gapMs).toBeLessThan(refusedMs + FAILOVER_MS);
  expect((await verdict(group)).missing).toBeLessThanOrEqual(KILL_LOST);

  await space.client.startWriters(await group.throughService());
  const end = await webhook.slowServices(SLOW_S);
  try {
    const slow = await underFault(group, `kill -9 while a change of a Service takes ${SLOW_S} s`, EXPECTED, kill);
    expect(slow.gapMs).toBeGreaterThan(SLOW_S * 1000);
    // Whatever else is written to the Service meanwhile costs another try.
    expect(slow.gapMs).toBeLessThan(2 * SLOW_S * 1000 + FAILOVER_MS);
  } finally {
    await end();
  }
  expect((await verdict(group)).missing).toBeLessThanOrEqual(KILL_LOST);
}, 240_000);
