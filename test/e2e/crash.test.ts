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
import { type Bed, EXAMPLES, SYSTEM, signal } from "./lib/bed.ts";
import { underFault, verdict } from "./lib/fault.ts";
import type { Group } from "./lib/group.ts";
import { type Space, test } from "./lib/scenario.ts";
import { leader, leadingProcess, type Moment, type Standstill, stopAt } from "./lib/stop-at.ts";
import { say, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const ALL = env.REDIS_HA_CRASH === "all";
const EVERY: Readonly<Record<Moment["kind"], readonly string[]>> = {
  handover: ["paused", "equal", "voted", "promoted", "agreed", "demoted", "patched", "routed", "cut"],
  failover: ["detected", "voted", "promoted", "agreed", "patched"],
};
const FEW: typeof EVERY = { handover: ["promoted", "patched"], failover: ["promoted"] };
const STEPS = ALL ? EVERY : FEW;
const STANDSTILLS: typeof EVERY = ALL
  ? { handover: ["voted", "promoted", "agreed", "patched"], failover: ["detected", "voted", "promoted", "agreed", "patched"] }
  : { handover: ["promoted"], failover: [] };

/** As asynchronous replication loses them; see failover.test.ts. */
const KILL_LOST = 8;
const WHOLE_MS = 90_000;
/** The Lease is another's after 3 s; a busy machine gets more, ms. */
const TAKEN_OVER_MS = 20_000;
/** The pause of a handover lasts 10 s by the server's own clock, and nothing of ours may be left of it long before that, ms. */
const GAP_MS = 9000;
/** As in handover.test.ts, ms. */
const HANDOVER_GAP_MS = 3000;
/** With the time that the Lease needs to change its holder on a busy machine, ms. */
const WITHOUT_LEADER_GAP_MS = 9000;

let standstill: Standstill | undefined;
afterEach(() => standstill?.close());

async function startGroup(space: Space): Promise<Group> {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", 60_000, async () => await group.whole(EXPECTED));
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

/** A handover or a failover begins, and the handler that leads stands still at that moment. */
async function until(bed: Bed, group: Group, moment: Moment): Promise<string> {
  await twoHandlers(bed);
  await group.client.calm();
  await group.client.window(true);
  const pod = await leader(bed);
  standstill = await stopAt(bed, pod, moment);
  const master = await group.master();
  if (moment.kind === "failover") await signal(bed, group.namespace, master.name, "redis", "SIGKILL");
  else await ask(group);
  await standstill.reached(15_000);
  return pod;
}

const momentsOf = (steps: typeof EVERY): Moment[] =>
  (Object.keys(steps) as Moment["kind"][]).flatMap((kind) => steps[kind].map((step) => ({ kind, step })));

/** How long it takes until another process has the Lease, ms. */
async function takenOver(bed: Bed, from: string): Promise<number> {
  const begun = performance.now();
  await waitUntil("another leader", TAKEN_OVER_MS, async () => {
    if ((await leadingProcess(bed)) === from) throw new Error(`${from} still holds the Lease`);
  });
  return Math.round(performance.now() - begun);
}

/** @param leaseMs how long it took until the other handler led */
async function finished(group: Group, { kind, step }: Moment, what: string, leaseMs: number): Promise<void> {
  const name = `${what} at ${step} of a ${kind}`;
  await waitUntil(`a whole group after: ${name}`, WHOLE_MS, async () => await group.whole(EXPECTED));
  await group.client.calm(30_000);
  const { gapMs } = await group.client.window();
  const history = await group.history();
  const reasons = history.map(({ reason }) => reason).join(", ");
  const found = await verdict(group);
  // A row of the table in docs/faults.md.
  say(`| ${kind} | ${step} | ${what} | ${leaseMs} ms | ${Math.round(gapMs)} ms | ${found.missing} of ${found.acked} |`);
  expect(found.missing, `${name}; before: ${reasons}`).toBeLessThanOrEqual(kind === "failover" ? KILL_LOST : 0);
}

describe.each(momentsOf(STEPS))("the leader dies in a $kind at: $step", (moment) => {
  test("the other one finishes", async ({ bed, space }) => {
    const group = await startGroup(space);
    const pod = await until(bed, group, moment);
    const dead = await leadingProcess(bed);
    standstill?.kill();
    const leaseMs = await takenOver(bed, dead);
    await waitUntil("writes", GAP_MS, async () => {
      await group.client.command(await group.throughService(), "SET", "e2e:goes-on", "yes");
    });
    // Its container would be restarted later and later.
    await bed.kubectl(["-n", SYSTEM, "delete", "pod", pod, "--wait=false"]);
    await finished(group, moment, "killed", leaseMs);
  });
});

describe.each(ALL ? ["leads"] : [])("the replica of the handlers that %s is dead from the start", () => {
  test("the other one fails over and hands over", async ({ bed, space }) => {
    const group = await startGroup(space);
    await twoHandlers(bed);
    const dead = await leader(bed);
    // Stopped, not killed: its Lease only runs out, and the kubelet starts it anew only after half a minute.
    await signal(bed, SYSTEM, dead, "redis-ha", "SIGSTOP");
    try {
      const killed = await underFault(group, "kill -9, the leading handler dead", EXPECTED, async (pod) => {
        await signal(bed, group.namespace, pod, "redis", "SIGKILL");
      });
      expect(killed.window.gapMs).toBeLessThan(WITHOUT_LEADER_GAP_MS);
      // By the other handler, not by Sentinel some seconds later.
      const [failover] = await group.timelines();
      expect(failover).toMatchObject({ kind: "failover", cause: expect.not.stringMatching(/sentinel/i) });
      expect(await leader(bed)).not.toBe(dead);
      const asked = await underFault(group, "handover, one handler dead", EXPECTED, async () => await ask(group));
      expect(asked.window.gapMs).toBeLessThan(HANDOVER_GAP_MS);
      expect(await group.history(), "one change of master each").toHaveLength(2);
      expect((await verdict(group)).missing).toBeLessThanOrEqual(KILL_LOST);
    } finally {
      await bed.kubectl(["-n", SYSTEM, "delete", "pod", dead, "--grace-period=1", "--wait=false"]);
      await twoHandlers(bed);
    }
  });
});

describe.each(momentsOf(STANDSTILLS))(
  "the leader stands still in a $kind at: $step, and goes on when another one leads",
  (moment) => {
    test("it lets go", async ({ bed, space }) => {
      const group = await startGroup(space);
      await until(bed, group, moment);
      const leaseMs = await takenOver(bed, await leadingProcess(bed));
      // The other one has begun to act by its own facts.
      await sleep(1000);
      standstill?.resume();
      await finished(group, moment, "stood still", leaseMs);
    });
  },
);
