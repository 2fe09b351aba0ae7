/**
 * Failovers in quick succession: kill -9 of the master as soon as the group is whole. After each one the new master's own word tells how many promotions there
 * were: a promoted server remembers as `master_replid2` whose history it goes on, so exactly one promotion means: it names the killed master's.
 */
import { messageOf, say, waitUntil } from "../../test/e2e/lib/wait.ts";
import { FAULTS } from "./faults.ts";
import type { Ours } from "./ours.ts";
import { quantile } from "./results.ts";
import { untilWhole } from "./run.ts";

interface Reign {
  readonly pod: string;
  readonly histories: { readonly now: string; readonly before: string };
  readonly epoch: number;
}

export interface ForcedRun {
  readonly from: string;
  readonly to: string;
  readonly gapMs: number;
  readonly wholeMs: number;
  /** how far the config-epoch went: more than 1 where the sentinels' own epoch was ahead */
  readonly epochs: number;
  readonly onePromotion: boolean;
  readonly lost: number;
}

export interface ForcedResult {
  readonly runs: ForcedRun[];
  readonly failures: string[];
}

const OTHER_MASTER_MS = 60_000;

/** Kills the master `runs` times; `kept` is called after each with all results so far. */
export async function force(
  ours: Ours,
  runs: number,
  stopped: () => boolean,
  kept: (result: ForcedResult) => void,
): Promise<ForcedResult> {
  const result: ForcedResult = { runs: [], failures: [] };
  for (let run = 0; run < runs && !stopped(); run += 1) {
    try {
      const one = await forceOnce(ours);
      result.runs.push(one);
      say(
        `forced ${run + 1} of ${runs}: gap ${one.gapMs} ms, whole after ${one.wholeMs} ms, epoch +${one.epochs}, lost ${one.lost}` +
          `${one.onePromotion ? "" : "  MORE THAN ONE PROMOTION"}`,
      );
    } catch (error) {
      result.failures.push(`run ${run + 1}: ${messageOf(error)}`);
      say(`forced ${run + 1}: ${messageOf(error)}`);
    }
    kept(result);
  }
  return result;
}

async function forceOnce(ours: Ours): Promise<ForcedRun> {
  await untilWhole(ours, "before the next");
  const { client } = ours.group;
  await client.startWriters(await ours.group.throughService(), { writers: 4, pauseMs: 5 });
  await waitUntil("traffic", 10_000, async () => {
    if ((await client.window()).acked < 100) throw new Error("not yet 100 writes");
  });
  const before = await reign(ours);
  const { node } = await ours.master();
  await client.window(true);
  const killedAt = Date.now();
  await FAULTS.kill9?.make({ stack: ours, pod: before.pod, node });
  await waitUntil("another master", OTHER_MASTER_MS, async () => {
    if ((await ours.master()).pod === before.pod) throw new Error(`${before.pod} is still named`);
  });
  await untilWhole(ours, "after it");
  const wholeMs = Date.now() - killedAt;
  const after = await reign(ours);
  const { gapMs } = await client.stopWriters();
  const { missing } = await client.verify(await ours.group.throughService());
  return {
    from: before.pod,
    to: after.pod,
    gapMs,
    wholeMs,
    epochs: after.epoch - before.epoch,
    onePromotion: after.histories.before === before.histories.now,
    lost: missing,
  };
}

async function reign(ours: Ours): Promise<Reign> {
  const { name, ip } = await ours.group.master();
  const histories = await ours.group.histories(await ours.group.at(ip));
  return { pod: name, histories, epoch: await ours.epoch() };
}

/** One line for people. */
export function forcedText({ runs, failures }: ForcedResult): string {
  const gaps = runs.map(({ gapMs }) => gapMs);
  const second = runs.filter(({ onePromotion }) => !onePromotion).length;
  const lost = runs.reduce((sum, one) => sum + one.lost, 0);
  return (
    `${runs.length} forced failovers: ${second} with more than one promotion, gap p50 ${Math.round(quantile(gaps, 0.5))} ms, ` +
    `p99 ${Math.round(quantile(gaps, 0.99))} ms, worst ${Math.round(Math.max(...gaps))} ms, ${lost} acknowledged writes lost, ` +
    `epochs +${Math.max(...runs.map(({ epochs }) => epochs))} at most, ${failures.length} runs failed`
  );
}
