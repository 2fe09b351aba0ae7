/** Two thousand seeds. A failing one is looked at with: npm run simulate -- --seed N (its story), or --first N --seeds 1 (made smaller first). */
import { availableParallelism } from "node:os";
import { expect, test } from "vitest";
import { Crew } from "./crew.ts";

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
