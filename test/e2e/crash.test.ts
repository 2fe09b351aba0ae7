/**
 * The leading replica of the handlers dies by kill -9, or stands still, before or in the middle of a failover or a handover: the other one finishes forward or goes
 * back, by the facts alone. REDIS_HA_CRASH=all tries every step (npm run test:crash); else a few.
 */
import { join } from "node:path";
import { env } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Deployment } from "../../kube/types.ts";
import { REASON } from "../../model/reasons.ts";
import { account } from "./lib/account.ts";
import { type Bed, EXAMPLES, SYSTEM, signal } from "./lib/bed.ts";
import { sayRow } from "./lib/crash-row.ts";
import { underFault, verdict } from "./lib/fault.ts";
import { type Group, WHOLE_MS } from "./lib/group.ts";
import { leader, leadingProcess, podOf } from "./lib/handlers.ts";
import { type Space, test } from "./lib/scenario.ts";
import { type Moment, type Standstill, stopAt } from "./lib/stop-at.ts";
import { messageOf, say, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const ALL = env.REDIS_HA_CRASH === "all";
const EVERY: Readonly<Record<Moment["kind"], readonly string[]>> = {
  handover: ["paused", "equal", "voted", "promoted", "agreed", "demoted", "patched", "routed", "cut"],
  failover: ["detected", "voted", "promoted", "agreed", "patched"],
};
const FEW: typeof EVERY = { handover: ["promoted", "patched"], failover: ["promoted"] };
const STEPS = ALL ? EVERY : FEW;
const STANDSTILLS: typeof EVERY = ALL
  ? { handover: ["voted", "promoted", "agreed", "patched"], failover: EVERY.failover }
  : { handover: ["promoted"], failover: [] };

/** As asynchronous replication loses them; see failover.test.ts. */
const KILL_LOST = 8;
/** So often the Lease may move while its holder is being armed. */
const ARM_TRIES = 5;
/** The Lease is another's after 3 s; a busy machine gets more, ms. */
const TAKEN_OVER_MS = 20_000;
/** The pause of a handover lasts 10 s by the server's own clock, and nothing of ours may be left of it long before that, ms. */
const GAP_MS = 9000;
/** As in handover.test.ts, ms. */
const HANDOVER_GAP_MS = 3000;
/** With the time that the Lease needs to change its holder on a busy machine, ms. Sentinel could meet it too: it is asked whose failover it was. */
const WITHOUT_LEADER_GAP_MS = 9000;
/** Sentinel by itself begins only now (down-after), ms. */
const DOWN_AFTER_MS = 5000;
/** Our own proofs (handlers/policies/proof.ts). A failover that waited for the sentinels' judgement says: "… had no answer from it for down-after". */
const PROOF =
  /connections to it are refused, and replica|the kubelet reports that its container ended|its process was started anew/;

let standstill: Standstill | undefined;
afterEach(() => standstill?.close());

async function startGroup(space: Space): Promise<Group> {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  await space.client.startWriters(await group.throughService());
  return group;
}

async function twoHandlers(bed: Bed): Promise<void> {
  await waitUntil("two replicas of the handlers", WHOLE_MS, async () => {
    const { status } = await bed.kube.get<Deployment>(PATH.deployments(SYSTEM, "redis-ha"));
    if (status?.readyReplicas !== 2 || status.replicas !== 2) throw new Error(`${status?.readyReplicas ?? 0} ready`);
  });
}

async function ask({ bed, namespace }: Group): Promise<void> {
  await bed.kubectl(["-n", namespace, "annotate", "--overwrite", "service", "cache-master", "redis-ha.io/handover=any"]);
}

/** The process that leads, which will stand still at that moment: the Lease may move while one is being armed. */
async function armed(bed: Bed, moment: Moment): Promise<{ holder: string; stop: Standstill }> {
  const moves: string[] = [];
  while (moves.length < ARM_TRIES) {
    const holder = await leadingProcess(bed);
    const stop = await stopAt(bed, podOf(holder), moment);
    standstill = stop;
    const now = await leadingProcess(bed);
    if (now === holder) return { holder, stop };
    stop.close();
    moves.push(`${holder} was armed, and ${now} led`);
  }
  throw new Error(`the Lease moved each time: ${moves.join("; ")}`);
}

/** A handover or a failover begins, and the process that leads stands still at that moment. Returns its identity. */
async function until(bed: Bed, group: Group, moment: Moment): Promise<string> {
  await twoHandlers(bed);
  await group.client.calm();
  const { holder, stop } = await armed(bed, moment);
  const master = await group.master();
  await group.client.window(true);
  if (moment.kind === "failover") await signal(bed, group.namespace, master.name, "redis", "SIGKILL");
  else await ask(group);
  await stop.reached(15_000).catch(async (error: unknown) => {
    throw new Error(`${messageOf(error)}: ${holder} was to stand still, and ${await leadingProcess(bed)} leads`);
  });
  return holder;
}

/** Resolves when another one holds the Lease, with the time that this took, ms. */
async function takenOver(from: string, holder: () => Promise<string>): Promise<number> {
  const since = performance.now();
  await waitUntil("another leader", TAKEN_OVER_MS, async () => {
    if ((await holder()) === from) throw new Error(`${from} still holds the Lease`);
  });
  return performance.now() - since;
}

async function finished(group: Group, moment: Moment, how: string, leaseMs: number): Promise<void> {
  const what = `${how} in a ${moment.kind} at: ${moment.step}`;
  await waitUntil(`a whole group after: ${what}`, WHOLE_MS, async () => await group.whole(EXPECTED));
  const window = await group.client.window();
  await group.client.calm(30_000);
  const { name } = await group.master();
  say(`${what}: ${name} is master`);
  const history = await group.history();
  const reasons = history.map(({ reason }) => reason).join(", ");
  const found = await verdict(group);
  sayRow({ what, window, found, leaseMs, reason: await group.reason() });
  expect(found.missing, `${what}; before: ${reasons}`).toBeLessThanOrEqual(moment.kind === "failover" ? KILL_LOST : 0);
}

const moments = (steps: typeof EVERY): Moment[] =>
  (["handover", "failover"] as const).flatMap((kind) => steps[kind].map((step) => ({ kind, step })));

describe.each(moments(STEPS))("the leader dies in a $kind at: $step", (moment) => {
  test("the other one finishes", async ({ bed, space }) => {
    const group = await startGroup(space);
    const dead = await until(bed, group, moment);
    standstill?.kill();
    const leaseMs = await takenOver(dead, async () => await leadingProcess(bed));
    await waitUntil("writes", GAP_MS, async () => {
      await group.client.command(await group.throughService(), "SET", "e2e:goes-on", "yes");
    });
    // Its container would be restarted later and later.
    await bed.kubectl(["-n", SYSTEM, "delete", "pod", podOf(dead), "--wait=false"]);
    await finished(group, moment, "killed", leaseMs);
  });
});

/** `led`: the other one has the Lease already when the master dies; what is left is a failover like any. Else the Lease has to run out first. */
const ALONE = [
  { when: "since longer than its Lease", led: true, gapMs: DOWN_AFTER_MS },
  { when: "as the master dies", led: false, gapMs: WITHOUT_LEADER_GAP_MS },
];

describe.each(ALL ? ALONE : [])("the replica of the handlers that leads is dead $when", ({ when, led, gapMs }) => {
  test("the other one fails over and hands over", async ({ bed, space }) => {
    const group = await startGroup(space);
    await twoHandlers(bed);
    const dead = await leader(bed);
    // Stopped, not killed: its Lease only runs out, and the kubelet starts it anew only after half a minute.
    const stop = async (): Promise<void> => await signal(bed, SYSTEM, dead, "redis-ha", "SIGSTOP");
    const other = async (): Promise<number> => await takenOver(dead, async () => await leader(bed));
    try {
      let lease: Promise<number> | undefined;
      if (led) {
        await stop();
        lease = other();
        await lease;
      }
      const killed = await underFault(group, `kill -9, the leading handler dead ${when}`, EXPECTED, async (pod) => {
        if (!led) await stop();
        lease ??= other();
        await Promise.all([lease, signal(bed, group.namespace, pod, "redis", "SIGKILL")]);
      });
      const leaseMs = (await lease) ?? 0;
      const [story, reason] = [await account(group), await group.reason()];
      const asked = await underFault(group, "handover, one handler dead", EXPECTED, async () => await ask(group));
      const [askedReason, found] = [await group.reason(), await verdict(group)];
      sayRow({ what: `dead ${when}: kill -9 of the master`, window: killed.window, found, leaseMs, reason });
      sayRow({ what: `dead ${when}: handover after that`, window: asked.window, found, leaseMs: 0, reason: askedReason });
      expect(reason, story?.cause).toBe(REASON.FailedOver);
      expect(story).toMatchObject({ kind: "failover", cause: expect.stringMatching(PROOF) });
      expect(killed.gapMs).toBeLessThan(gapMs);
      expect(asked.gapMs).toBeLessThan(HANDOVER_GAP_MS);
      expect(await group.history(), "one change of master each").toHaveLength(2);
      expect(found.missing).toBeLessThanOrEqual(KILL_LOST);
    } finally {
      await bed.kubectl(["-n", SYSTEM, "delete", "pod", dead, "--grace-period=1", "--wait=false"]);
      await twoHandlers(bed);
    }
  });
});

describe.each(moments(STANDSTILLS))(
  "the leader stands still in a $kind at: $step, and goes on when another one leads",
  (moment) => {
    test("it lets go", async ({ bed, space }) => {
      const group = await startGroup(space);
      const still = await until(bed, group, moment);
      const leaseMs = await takenOver(still, async () => await leadingProcess(bed));
      // The other one has begun to act by its own facts.
      await sleep(1000);
      standstill?.resume();
      await finished(group, moment, "stood still", leaseMs);
    });
  },
);
