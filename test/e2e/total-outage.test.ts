/**
 * All pods of a StatefulSet with volumes are gone at once, after one replica missed the last 10,000 writes. The stale one comes up first and must not win.
 * Three pods on two nodes: the master alone on one of them, which is closed until the test says otherwise.
 */
import { describe, expect, inject } from "vitest";
import { EXIT } from "../../cli/exit.ts";
import { MARK, REQUEST } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import type { Bed } from "./lib/bed.ts";
import { commandLine } from "./lib/cli.ts";
import { countOf, seed } from "./lib/data.ts";
import { toldOf } from "./lib/events.ts";
import { type Group, isReady, WHOLE_MS } from "./lib/group.ts";
import { EXPECTED, goneFrom, groupWithStaleReplica, KEYS, manifest, masters, type Outage, outage } from "./lib/outage.ts";
import { test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

const TEST_MS = 240_000;

/** The UIDs of the claims of these pods: a claim that was made anew under its old name has another one. */
async function claims(bed: Bed, { namespace }: Group, pods: readonly string[]): Promise<string[]> {
  const names = pods.map((pod) => `pvc/data-${pod}`);
  const { stdout } = await bed.kubectl(["-n", namespace, "get", ...names, "-o", "jsonpath={.items[*].metadata.uid}"]);
  return stdout.split(" ");
}

/**
 * The last master's volume and another one are deleted and made anew, empty, under their old names; the third, with the data, is on a node that takes no pod. Nobody
 * may begin empty over it. A person who knows that it will come asks for its pod.
 */
async function volumesMadeAnew(bed: Bed, { group, last, fresh, stale, node, other }: Outage): Promise<void> {
  const { namespace } = group;
  const emptied = [fresh, stale].sort();
  const before = await claims(bed, group, emptied);
  try {
    // It goes alone, else it could be elected while the others end.
    await goneFrom(bed, group, [last], [node]);
    // Claims go with their pods.
    await bed.kubectl(["-n", namespace, "delete", ...emptied.map((pod) => `pvc/data-${pod}`), "--wait=false"]);
    await goneFrom(bed, group, emptied, [other]);
    await bed.kubectl(["uncordon", other]);
    const annotations = await waitUntil("the halt", 60_000, async () => {
      const found = (await group.service()).metadata?.annotations ?? {};
      if (found[MARK.halted] === undefined) throw new Error("not halted");
      return found;
    });
    say(annotations[MARK.halted] ?? "");
    expect(annotations[MARK.halted]).toContain(REASON.HaltedDataMissing);
    expect(annotations[MARK.halted], "it says what is missing").toContain(`volume data-${last} of pod ${last}`);
    const record: { pod: string; volume: string } = JSON.parse(annotations[MARK.master] ?? "{}");
    expect(emptied, "the last master").toContain(record.pod);
    expect(record.volume).toBe(`data-${record.pod}`);
    const remade = (await claims(bed, group, emptied)).filter((uid) => !before.includes(uid));
    expect(remade, "claims made anew").toHaveLength(emptied.length);
    await waitUntil("both others to be Ready", 30_000, async () => {
      const ready = (await group.pods()).filter(isReady).map(({ metadata }) => metadata?.name ?? "");
      expect(ready.sort()).toEqual(emptied);
    });
    expect(await masters(group), "nobody is master").toEqual([]);
    await bed.kubectl(["-n", namespace, "annotate", "service", "store-master", `${REQUEST.promote}=${last}`]);
  } finally {
    await bed.kubectl(["uncordon", node, other]);
  }
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  expect((await group.master()).name).toBe(last);
  await toldOf(bed, namespace, "Service", "store-master", REASON.PromotedByPerson);
  await marksGone(group);
}

/** Nothing on the Service says that the group is halted, or that a person asked for something. */
async function marksGone(group: Group): Promise<void> {
  await waitUntil("the marks to go", 10_000, async () => {
    const annotations = (await group.service()).metadata?.annotations ?? {};
    expect(annotations).not.toHaveProperty([REQUEST.promote]);
    expect(annotations).not.toHaveProperty([MARK.halted]);
  });
}

async function saysThatItWaitsFor({ bed, namespace }: Group, last: string): Promise<void> {
  await toldOf(bed, namespace, "Service", "store-master", REASON.WaitingForLastMaster, { withinMs: 60_000, saying: last });
}

async function nothingLost(group: Group): Promise<void> {
  expect(await countOf(group, "old", KEYS, "newer")).toBe(KEYS);
  expect(await countOf(group, "late", KEYS, "kept")).toBe(KEYS);
}

describe("all pods of a StatefulSet are deleted at once", () => {
  test("AOF: the group waits for the last master's volume and takes it", { timeout: TEST_MS }, async ({ bed, space }) => {
    const given = await groupWithStaleReplica(bed, space, manifest(true, {}));
    const { group, last } = given;
    try {
      await outage(bed, given);
      await saysThatItWaitsFor(group, last);
      await waitUntil("both others to be up", 30_000, async () => {
        const up = (await group.redises()).filter(({ role }) => role === "slave");
        if (up.length !== 2) throw new Error(`${up.length} of 2`);
      });
      expect(await masters(group), "nobody is master meanwhile").toEqual([]);
    } finally {
      await bed.kubectl(["uncordon", given.node, given.other]);
    }
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    expect((await group.master()).name).toBe(last);
    await nothingLost(group);
  });

  test("RDB: without the last master's volume the freshest wins after recovery-wait, and its age is told; empty volumes under old names never win", {
    timeout: TEST_MS,
  }, async ({ bed, space }) => {
    const given = await groupWithStaleReplica(bed, space, manifest(false, { "recovery-wait": "15s" }));
    const { group, fresh } = given;
    try {
      await outage(bed, given);
      await waitUntil("a master", 90_000, async () => expect(await masters(group)).toEqual([fresh]));
      const event = await toldOf(bed, space.namespace, "Service", "store-master", REASON.Recovered);
      say(event.message);
      expect(event.message).toContain(fresh);
      expect(event.message).toMatch(/files were last written at 20\d\d-/);
      await waitUntil("the Service", 10_000, async () => expect((await group.master()).name).toBe(fresh));
      await nothingLost(group);
    } finally {
      await bed.kubectl(["uncordon", given.node, given.other]);
    }
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    await nothingLost(group);
    await volumesMadeAnew(bed, given);
    await nothingLost(group);
  });

  test("one pod after the other: the last master is made last, and the group waits for it", { timeout: TEST_MS }, async ({
    bed,
    space,
  }) => {
    const group = space.group("store");
    await space.apply({ yaml: manifest(true, {}).replace("Parallel", "OrderedReady") });
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    const last = "store-2";
    await bed.kubectl(["-n", space.namespace, "annotate", "service", "store-master", `${REQUEST.handover}=${last}`]);
    await waitUntil(`${last} to be master`, 30_000, async () => expect((await group.master()).name).toBe(last));
    await seed(group, "old", KEYS, "kept", 2);
    await bed.kubectl(["-n", space.namespace, "delete", "pods", "store-0", "store-1", last, "--wait=false", "--grace-period=1"]);
    await saysThatItWaitsFor(group, last);
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    expect((await group.master()).name).toBe(last);
    expect(await countOf(group, "old", KEYS, "kept")).toBe(KEYS);
  });

  test("recovery: manual halts and says how to go on; a person's word is done", { timeout: TEST_MS }, async ({ bed, space }) => {
    const group = space.group("store");
    await space.apply({ yaml: manifest(true, { recovery: "manual" }) });
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    await seed(group, "old", KEYS, "kept", 2);
    await bed.kubectl(["-n", space.namespace, "delete", "pods", "-l", "app=store", "--wait=false", "--grace-period=1"]);
    const halted = await waitUntil("the halt", 60_000, async () => {
      const text = (await group.service()).metadata?.annotations?.[MARK.halted];
      if (text === undefined) throw new Error("not halted");
      return text;
    });
    expect(halted).toContain(REASON.HaltedManualRecovery);
    const freshest = /annotate service store-master redis-ha\.io\/promote=(\S+)/.exec(halted)?.[1] ?? "";
    expect(freshest, halted).toMatch(/^store-\d$/);
    expect(await masters(group)).toEqual([]);
    const event = await toldOf(bed, space.namespace, "Service", "store-master", REASON.HaltedManualRecovery);
    expect(event.type).toBe("Warning");
    // The command line makes the same request.
    const { run, atTerminal } = await commandLine(inject("cluster"));
    const name = `${space.namespace}/store`;
    await waitUntil("status to tell it", 30_000, async () => {
      const seen = await run("status", name);
      expect(seen.stdout).toContain(`halted: ${REASON.HaltedManualRecovery}`);
      expect(seen.stdout).toContain(`next: bring the missing pods back, or choose by hand: redis-ha promote ${name} store-`);
    });
    const plan = await run("promote", name, freshest, "--dry-run");
    expect(plan.stdout).toContain(`${name}: ${freshest} becomes master`);
    expect(plan.stdout).toMatch(/lost: /);
    expect((await atTerminal("n\n", "promote", name, freshest)).code).toBe(EXIT.refused);
    expect(await masters(group)).toEqual([]);
    const promoted = await atTerminal("y\n", "promote", name, freshest);
    expect(promoted.code, promoted.stdout).toBe(EXIT.ok);
    expect(promoted.stdout).toMatch(new RegExp(`done\\S*: ${freshest} is master`));
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    expect(await countOf(group, "old", KEYS, "kept")).toBe(KEYS);
    await marksGone(group);
    await toldOf(bed, space.namespace, "Service", "store-master", REASON.PromotedByPerson);
  });
});
