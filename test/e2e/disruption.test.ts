/** The PodDisruptionBudget of a group: a drain waits for data and loses nothing; and it gives way to one that a person makes. */
import { join } from "node:path";
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { PodDisruptionBudget } from "../../kube/types.ts";
import { budgetName, LABEL } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { EXAMPLES } from "./lib/bed.ts";
import { eventOf } from "./lib/events.ts";
import { underFault, verdict } from "./lib/fault.ts";
import { test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
/** A hand-over after an eviction, on a loaded machine (docs/faults.md). */
const GAP_MS = 3000;
const OURS = budgetName("cache");
const THEIRS = "mine";

test("kubectl drain of the master's node: one pod at a time, 0 lost; put right when changed, giving way to a person's own", {
  timeout: 240_000,
}, async ({ bed, space }) => {
  const group = space.group();
  const read = async (name = OURS): Promise<PodDisruptionBudget> =>
    await bed.kube.get<PodDisruptionBudget>(PATH.podDisruptionBudgets(space.namespace, name));
  const inForce = async (): Promise<void> => {
    const { spec, status } = await read();
    expect(spec?.maxUnavailable).toBe(1);
    expect(status).toMatchObject({ expectedPods: 3, desiredHealthy: 2, disruptionsAllowed: 1 });
  };
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", 60_000, async () => await group.whole(EXPECTED));
  await waitUntil("the budget in force", 30_000, inForce);

  await bed.kube.mergePatch(PATH.podDisruptionBudgets(space.namespace, OURS), { spec: { maxUnavailable: 3 } });
  await waitUntil("the budget put right", 20_000, inForce);

  await space.client.startWriters(await group.throughService());
  const node = (await group.master()).pod.spec?.nodeName ?? "";
  const options = ["--ignore-daemonsets", "--delete-emptydir-data", `--pod-selector=${LABEL.cluster}=cache`, "--timeout=90s"];
  try {
    const { window } = await underFault(group, "kubectl drain under a budget", EXPECTED, async () => {
      await bed.kubectl(["drain", node, ...options]);
    });
    expect(window.gapMs).toBeLessThan(GAP_MS);
  } finally {
    await bed.kubectl(["uncordon", node]);
  }
  expect((await verdict(group)).missing).toBe(0);

  const kubectl = async (...words: string[]): Promise<unknown> => await bed.kubectl(["-n", space.namespace, ...words]);
  await kubectl("create", "poddisruptionbudget", THEIRS, "--selector=app=cache", "--min-available=1");
  await waitUntil("ours to give way", 20_000, async () => {
    const { spec, status } = await read();
    expect(spec?.selector).toBeUndefined();
    expect(status?.expectedPods).toBe(0);
  });
  const { message } = await eventOf(bed, space.namespace, "Service", "cache-master", REASON.DisruptionBudgetChanged);
  expect(message).toContain(`${THEIRS} selects the same pods`);
  await kubectl("delete", "poddisruptionbudget", THEIRS);
  await waitUntil("ours to be back", 30_000, inForce);
});
