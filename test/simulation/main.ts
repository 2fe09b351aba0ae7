/**
 * `npm run simulate -- --seeds N --jobs N [--seed S] [--replay FILE]`: runs seeds until one breaks an invariant, makes its plan smaller, prints its story and
 * keeps the plan in a file that --replay runs again.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Crew } from "./crew.ts";
import { readPlan, writePlan } from "./plan-file.ts";
import { shrink } from "./shrink.ts";
import type { Verdict } from "./thread.ts";

const OPTIONS = {
  seeds: { type: "string", default: "2000" },
  first: { type: "string", default: "1" },
  jobs: { type: "string" },
  seed: { type: "string" },
  replay: { type: "string" },
  keep: { type: "string" },
  story: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

const HELP = `npm run simulate -- [options]
  --seeds N      how many seeds (default 2000)
  --first N      the first seed (default 1)
  --jobs N       threads (default: one for each processor)
  --seed S       only this one, with its story
  --replay FILE  the plan in this file, with its story
  --keep FILE    where a failing plan is written (default simulation-<seed>.json)`;

const { values } = parseArgs({ options: OPTIONS });
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

function tellStory(verdict: Verdict): void {
  console.log(verdict.story.join("\n"));
  console.log(
    verdict.broken === ""
      ? `all invariants held (hash ${verdict.hash})`
      : `${verdict.broken}: ${verdict.why} (hash ${verdict.hash})`,
  );
}

async function one(): Promise<boolean> {
  const crew = new Crew(1);
  const plan = values.replay === undefined ? Number(values.seed) : readPlan(values.replay);
  const verdict = await crew.run(plan, true);
  tellStory(verdict);
  await crew.end();
  return verdict.broken === "";
}

async function many(): Promise<boolean> {
  const jobs = Number(values.jobs ?? availableParallelism());
  const [first, seeds] = [Number(values.first), Number(values.seeds)];
  const crew = new Crew(jobs);
  const startedAt = Date.now();
  const sums = { runs: 0, events: 0, virtualMs: 0, acknowledged: 0, lost: 0, halted: 0 };
  let failed: Verdict | undefined;
  let next = first;
  const work = async (): Promise<void> => {
    while (next < first + seeds && failed === undefined) {
      const seed = next;
      next += 1;
      const verdict = await crew.run(seed, false);
      sums.runs += 1;
      sums.events += verdict.events;
      sums.virtualMs += verdict.virtualMs;
      sums.acknowledged += verdict.acknowledged;
      sums.lost += verdict.lost;
      sums.halted += verdict.why === "halted" ? 1 : 0;
      if (verdict.broken !== "") failed ??= verdict;
      if (sums.runs % 1000 === 0) console.log(`${sums.runs} seeds, ${Math.round((Date.now() - startedAt) / 1000)} s`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  console.log(
    `${sums.runs} seeds in ${Math.round((Date.now() - startedAt) / 1000)} s: ${Math.round(sums.virtualMs / 3_600_000)} virtual hours, ` +
      `${sums.acknowledged} writes acknowledged, ${sums.lost} lost where it can't be helped, ${sums.halted} runs ended halted`,
  );
  if (failed !== undefined) {
    console.log(`seed ${failed.plan.seed} broke ${failed.broken}: ${failed.why}\nmaking its plan smaller ...`);
    const { plan, runs } = await shrink(failed, (candidate) => crew.run(candidate, false));
    const file = values.keep ?? join(process.cwd(), `simulation-${plan.seed}.json`);
    writePlan(file, plan);
    console.log(
      `${failed.plan.faults.length} faults made ${plan.faults.length} in ${runs} runs; replay: npm run simulate -- --replay ${file}\n`,
    );
    tellStory(await crew.run(plan, true));
  }
  await crew.end();
  return failed === undefined;
}

const fine = values.seed === undefined && values.replay === undefined ? await many() : await one();
process.exitCode = fine ? 0 : 1;
