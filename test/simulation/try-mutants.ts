/**
 * `npm run simulate:mutants -- [--seeds N] [--jobs N] [--only WORDS]`: breaks one law after the other and counts the seeds until the simulator notices.
 * Prints the table of docs/simulation.md.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Crew } from "./crew.ts";
import { MUTANTS, type Mutant } from "./mutants.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "20000" }, jobs: { type: "string" }, only: { type: "string", default: "" } },
});
const jobs = Number(values.jobs ?? availableParallelism());

interface Caught {
  readonly seeds: number;
  readonly broken: string;
}

async function hunt(mutant: Mutant): Promise<Caught | undefined> {
  const crew = new Crew(jobs, mutant.changes);
  let caught: Caught | undefined;
  let next = 1;
  const work = async (): Promise<void> => {
    while (caught === undefined && next <= Number(values.seeds)) {
      const seed = next;
      next += 1;
      const verdict = await crew.run(seed, false);
      if (verdict.broken !== "") caught ??= { seeds: seed, broken: `${verdict.broken}: ${verdict.why}` };
    }
  };
  try {
    await Promise.all(Array.from({ length: jobs }, work));
  } finally {
    await crew.end();
  }
  return caught;
}

let missed = 0;
console.log("| law | broken by | caught by seed | as |\n|---|---|---|---|");
for (const mutant of MUTANTS.filter(({ name }) => name.includes(values.only))) {
  const caught = await hunt(mutant);
  if (caught === undefined) missed += 1;
  const broken = caught?.broken.replaceAll("|", "/") ?? "";
  const as = broken.length > 110 ? `${broken.slice(0, 110)}…` : broken;
  console.log(`| ${mutant.law} | ${mutant.name} | ${caught?.seeds ?? `**not in ${values.seeds}**`} | ${as} |`);
}
console.log(`${MUTANTS.length - missed} of ${MUTANTS.length} caught`);
process.exitCode = missed === 0 ? 0 : 1;
