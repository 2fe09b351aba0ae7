/** One run of one fault of the matrix. */
import { loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Timeline } from "../../handlers/act/timeline.ts";
import { SYSTEM } from "../../test/e2e/lib/bed.ts";
import type { ClientPod } from "../../test/e2e/lib/client-pod.ts";
import { messageOf, waitUntil } from "../../test/e2e/lib/wait.ts";
import { EXPECTED, type Ours } from "../failover/ours.ts";
import { stepsSince } from "../failover/run.ts";
import type { MatrixFault } from "./fault.ts";
import { CONVERGED_MS, judge, type Verdict } from "./judge.ts";
import { Logs } from "./logs.ts";
import { type Seen, Witness } from "./witness.ts";

export interface MatrixSample extends Verdict, Seen {
  readonly fault: string;
  /** of the machine in the last minute, before the fault */
  readonly load: number;
  readonly gapMs: number;
  readonly gapFromMs: number;
  readonly stallMs: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly firstErrors: readonly string[];
  readonly acked: number;
  readonly lost: number;
  readonly convergedMs: number | undefined;
  /** what was missing when the group was not whole in time */
  readonly missing: string | undefined;
  readonly from: string;
  readonly to: string;
  readonly notes: readonly string[];
  /** the handlers' own steps, ms since the fault was made */
  readonly steps: Timeline["steps"];
}

export interface RunOptions {
  readonly ours: Ours;
  readonly client: ClientPod;
  readonly name: string;
  readonly fault: MatrixFault;
  readonly run: number;
  /** the clients use WAIT in a group with `durability: replicated`: nothing may be lost by any fault */
  readonly durable: boolean;
  /** a file for the logs of all pods during the run */
  readonly logs?: string | undefined;
}

/** Eight writers with a short pause: a client's usual pace, and the processors stay free for what is measured. */
const WRITERS = { writers: 8, pauseMs: 2 };
/** A group that has not converged is watched for so long more, to say whether it ever does. */
const LATER_MS = 120_000;

/** The group must be whole before; throws when it can't even begin, or the fault could not be made. */
export async function runFault({ ours, client, name, fault, run, durable, logs: path }: RunOptions): Promise<MatrixSample> {
  const where = await ours.group.throughService();
  await client.command(where, "FLUSHALL", "ASYNC");
  await client.startWriters(where, durable ? { ...WRITERS, waitFor: 1 } : WRITERS);
  await client.calm();
  const { acked: calmAcked, ms: calmMs } = await client.window();
  const before = await ours.group.master();
  const node = before.pod.spec?.nodeName ?? "";
  const notes: string[] = [];
  const scene = { ours, client, pod: before.name, node, ip: before.ip, run, note: (text: string) => notes.push(text) };
  const [load = 0] = loadavg();
  const witness = new Witness(ours);
  const logs = new Logs(ours.cluster, [ours.namespace, SYSTEM]);
  // The probers need a moment to look at every pod.
  await sleep(1500);
  await client.window(true);
  const faultAt = Date.now();
  let seen: Seen | undefined;
  try {
    await fault.act(scene);
    const [convergedMs, missing] = await converged(ours);
    await waitUntil("writes", 10_000, async () => {
      if ((await client.window()).sinceAckMs > 500) throw new Error("no write is acknowledged");
    });
    const window = await client.stopWriters();
    seen = await witness.stop();
    const { acked, missing: lost } = await client.verify(where);
    const rate = (calmAcked / calmMs) * 1000;
    const { gapMs, stallMs, errors, firstErrors, gapStartedAt } = window;
    const verdict = judge({ acked, lost, rate, convergedMs, ...seen }, fault.allowed, durable);
    const gapFromMs = Date.parse(gapStartedAt) - faultAt;
    const result = {
      fault: name,
      load,
      gapMs,
      gapFromMs,
      stallMs,
      errors,
      firstErrors,
      acked,
      lost,
      convergedMs,
      missing,
      notes,
    };
    const { name: to } = await ours.group.master();
    // Both handlers may have been killed in this run; then there is no story to be had.
    const timeline = to === before.name ? undefined : await ours.steps(new Date(faultAt).toISOString());
    return { ...verdict, ...seen, ...result, steps: stepsSince(faultAt, timeline), from: before.name, to };
  } finally {
    if (seen === undefined) await witness.stop();
    logs.end(path);
  }
}

/** The time until the group was whole, and what was missing when that took too long. */
async function converged(ours: Ours): Promise<[number | undefined, string | undefined]> {
  const start = performance.now();
  const whole = async (): Promise<void> => void (await ours.group.whole(EXPECTED));
  let missing: string | undefined;
  try {
    await waitUntil("a whole group", CONVERGED_MS, whole);
  } catch (error) {
    missing = messageOf(error);
    await waitUntil("a whole group, too late", LATER_MS, whole).catch(() => undefined);
    return [undefined, missing];
  }
  return [Math.round(performance.now() - start), missing];
}
