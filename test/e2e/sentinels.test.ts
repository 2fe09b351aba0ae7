/** Sentinels come and go, one by one or all at once: their settings stay, nobody remembers the dead, and the group can elect. */
import { join } from "node:path";
import { expect } from "vitest";
import { LABEL, masterName, SENTINEL_PORT } from "../../model/names.ts";
import { EXAMPLES, signal } from "./lib/bed.ts";
import { underFault, verdict } from "./lib/fault.ts";
import { type Group, WHOLE_MS } from "./lib/group.ts";
import { withoutHandlers } from "./lib/handlers.ts";
import { test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
/** What issue 4 promises: after this time CKQUORUM is ok on all, and nobody knows more than the living. */
const FORGOTTEN_MS = 60_000;
const REPLACEMENTS = 10;
const KILL_AFTER_MS = 30_000;
const KILL_LOST = 8;
const TEST_MS = 240_000;

async function sentinelPods(group: Group): Promise<string[]> {
  const pods = (await group.pods()).filter(({ metadata }) => metadata?.labels?.[LABEL.sentinel] === "true");
  return pods.map(({ metadata }) => metadata?.name ?? "");
}

async function wholeAgain(group: Group, what: string): Promise<void> {
  const from = performance.now();
  await waitUntil(`a whole group after ${what}`, FORGOTTEN_MS, async () => await group.whole(EXPECTED));
  say(
    `${what}: CKQUORUM ok on all, and nobody but the living is known after ${((performance.now() - from) / 1000).toFixed(1)} s`,
  );
}

test("all three sentinels are deleted at once under traffic, the master is killed 30 s later", { timeout: TEST_MS }, async ({
  bed,
  space,
}) => {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "three-deployments.yaml") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  await space.client.startWriters(await group.throughService());
  const before = await group.master();
  const killAt = performance.now() + KILL_AFTER_MS;
  await bed.kubectl(["-n", space.namespace, "delete", "pods", ...(await sentinelPods(group)), "--wait=false"]);
  await wholeAgain(group, "the loss of all sentinels");
  expect((await group.master()).name, "nothing happened to the master").toBe(before.name);
  await waitUntil("30 s since then", KILL_AFTER_MS, async () => expect(performance.now()).toBeGreaterThan(killAt));
  await underFault(
    group,
    "kill -9 after that",
    EXPECTED,
    async (pod) => await signal(bed, space.namespace, pod, "redis", "SIGKILL"),
  );
  expect((await verdict(group)).missing).toBeLessThanOrEqual(KILL_LOST);
});

test("ten sentinels are replaced one by one", { timeout: TEST_MS }, async ({ bed, space }) => {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "three-deployments.yaml") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const { name } = await group.master();
  for (let count = 0; count < REPLACEMENTS; count += 1) {
    const [oldest = ""] = (await group.pods())
      .filter(({ metadata }) => metadata?.labels?.[LABEL.sentinel] === "true")
      .sort((a, b) => (String(a.metadata?.creationTimestamp) < String(b.metadata?.creationTimestamp) ? -1 : 1))
      .map(({ metadata }) => metadata?.name ?? "");
    await bed.kubectl(["-n", space.namespace, "delete", "pod", oldest, "--wait=false"]);
    // Not whole: the next one goes as soon as three answer again, as a careless person does it.
    await waitUntil(`replacement ${count + 1}`, 30_000, async () => {
      const answering = (await group.sentinels()).filter(({ pod, master }) => pod !== oldest && master !== "");
      if (answering.length !== EXPECTED.sentinels) throw new Error(`${answering.length} sentinels watch`);
    });
  }
  await wholeAgain(group, `${REPLACEMENTS} replacements`);
  expect((await group.master()).name, "nothing happened to the master").toBe(name);
});

/** quorum and down-after of each sentinel, as it says itself. */
async function settings(group: Group): Promise<{ pod: string; quorum: string; downAfter: string }[]> {
  return await Promise.all(
    (await group.pods()).map(async ({ metadata, status }) => {
      const target = await group.at(status?.podIP ?? "", SENTINEL_PORT);
      const reply = await group.client.command(target, "SENTINEL", "MASTER", masterName(group.namespace, group.cluster));
      const words = Array.isArray(reply) ? reply.map(String) : [];
      const value = (name: string): string => words[words.indexOf(name) + 1] ?? "";
      return { pod: metadata?.name ?? "", quorum: value("quorum"), downAfter: value("down-after-milliseconds") };
    }),
  );
}

test("changed annotations reach every sentinel, also one that restarts while no handlers run", { timeout: TEST_MS }, async ({
  bed,
  space,
}) => {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  await bed.kubectl([
    ...["-n", space.namespace, "annotate", "deployment", "cache", "redis-ha.io/quorum=3", "redis-ha.io/down-after=7s"],
  ]);
  const followed = async (): Promise<void> => {
    const seen = await settings(group);
    expect(seen.map(({ quorum, downAfter }) => `${quorum} ${downAfter}`)).toEqual(["3 7000", "3 7000", "3 7000"]);
  };
  await waitUntil("the roll-out", 120_000, followed);
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const [pod = ""] = await sentinelPods(group);
  await withoutHandlers(bed, async () => {
    await signal(bed, space.namespace, pod, "redis-ha-sentinel", "SIGKILL");
    await waitUntil("the restarted sentinel", 30_000, async () => {
      const found = (await group.pods()).find(({ metadata }) => metadata?.name === pod);
      const status = found?.status?.initContainerStatuses?.find(({ name }) => name === "redis-ha-sentinel");
      expect(status?.restartCount).toBe(1);
      await followed();
    });
  });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  await followed();
});
