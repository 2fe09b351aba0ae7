import { join } from "node:path";
import { describe, expect } from "vitest";
import { LABEL } from "../../model/names.ts";
import { EXAMPLES } from "./lib/bed.ts";
import { type Group, WHOLE_MS } from "./lib/group.ts";
import { test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

const FOLDER = join(EXAMPLES, "three-deployments");
const EXPECTED = { replicas: 2, sentinels: 3 };
const ORDERS = [
  ["first", "sentinel", "replica"],
  ["first", "replica", "sentinel"],
  ["sentinel", "first", "replica"],
  ["sentinel", "replica", "first"],
  ["replica", "first", "sentinel"],
  ["replica", "sentinel", "first"],
] as const;

/** The containers of what was applied so far run: the next file really comes later. */
async function allStarted(group: Group, least: number): Promise<void> {
  const pods = await group.pods();
  const started = pods.filter((pod) => pod.status?.containerStatuses?.every(({ state }) => state?.running !== undefined));
  if (started.length < least) throw new Error(`${started.length} of ${least} pods have started`);
}

const PODS = { first: 1, sentinel: 3, replica: 2 };

describe("three Deployments: master, sentinels, replicas", () => {
  test.for(ORDERS)("applied in the order %s, %s, %s", async (order, { space }) => {
    const group = space.group();
    let pods = 0;
    for (const part of order) {
      await space.apply({ file: join(FOLDER, `${part}.yaml`) });
      pods += PODS[part];
      await waitUntil(`the pods of ${part}`, 30_000, async () => await allStarted(group, pods));
    }
    const { master } = await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    expect(master).toMatch(/^cache-first-/);
    expect(await group.history(), "nobody was master before").toEqual([]);
    await waitUntil("the labels of all roles", 10_000, async () => {
      const roles = (await group.pods()).map(({ metadata }) => metadata?.labels?.[LABEL.role] ?? "sentinel").sort();
      expect(roles).toEqual(["master", "replica", "replica", "sentinel", "sentinel", "sentinel"]);
    });
  });
});
