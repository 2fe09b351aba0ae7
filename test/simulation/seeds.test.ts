/** The first seeds, in every run of the tests. Many more: npm run simulate -- --seeds N. A failing one is looked at with: npm run simulate -- --seed N (its story), or --first N --seeds 1 (made smaller first). */
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { Crew } from "./crew.ts";
import { MUTANTS } from "./mutants.ts";
import { shrink } from "./shrink.ts";
import type { Plan } from "./thread.ts";

/** As many as have been seen to pass on the present models; see docs/simulation.md. */
const SEEDS = 2000;

test(
  `the invariants hold in ${SEEDS} runs`,
  async () => {
    const jobs = availableParallelism();
    const crew = new Crew(jobs);
    const broken: string[] = [];
    let [next, acknowledged, faults] = [1, 0, 0];
    const work = async (): Promise<void> => {
      while (next <= SEEDS) {
        const seed = next;
        next += 1;
        const verdict = await crew.run(seed, false);
        acknowledged += verdict.acknowledged;
        faults += verdict.plan.faults.length;
        if (verdict.broken !== "") broken.push(`seed ${seed}: ${verdict.broken}: ${verdict.why}`);
      }
    };
    try {
      await Promise.all(Array.from({ length: jobs }, work));
    } finally {
      await crew.end();
    }
    expect(broken).toEqual([]);
    // Something was at stake: the clients wrote, and faults struck.
    expect(acknowledged).toBeGreaterThan(SEEDS * 50);
    expect(faults).toBeGreaterThan(SEEDS);
  },
  15 * 60_000,
);

test(
  "a mutant is caught, and its plan made smaller",
  async () => {
    const mutant = MUTANTS.find(({ name }) => name === "silence is proof of death");
    expect(mutant).toBeDefined();
    const sick = new Crew(1, mutant?.changes ?? []);
    const healthy = new Crew(1);
    try {
      for (let seed = 1; seed <= 100; seed += 1) {
        const verdict = await sick.run(seed, false);
        // A plan of one fault can't be made smaller by leaving some out.
        if (verdict.broken === "" || faultsOf(verdict.plan) < 3) continue;
        const { plan } = await shrink(verdict, (candidate) => sick.run(candidate, false));
        expect(faultsOf(plan)).toBeLessThan(faultsOf(verdict.plan));
        const again = await sick.run(plan, false);
        expect(again.broken).toBe(verdict.broken);
        // What is written into a file and read again is the same run, to the last message.
        expect((await sick.run(JSON.parse(JSON.stringify(plan)) as Plan, false)).hash).toBe(again.hash);
        expect((await healthy.run(plan, false)).broken).toBe("");
        return;
      }
      expect.fail("100 seeds did not catch it");
    } finally {
      await Promise.all([sick.end(), healthy.end()]);
    }
  },
  10 * 60_000,
);

const faultsOf = ({ faults, early = [] }: Plan): number => faults.length + early.length;
