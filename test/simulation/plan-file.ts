/** The plan of a failing run, in a file: what `--replay` runs again. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Plan } from "./thread.ts";

export function writePlan(file: string, plan: Plan): void {
  writeFileSync(file, `${JSON.stringify(plan, undefined, 2)}\n`);
}

/** Throws for a file that holds something else. */
export function readPlan(file: string): Plan {
  const read: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (typeof read !== "object" || read === null || !("seed" in read) || !("faults" in read) || !Array.isArray(read.faults))
    throw new Error(`${file} holds no plan; npm run simulate writes one where a seed fails (--keep FILE)`);
  return read as unknown as Plan;
}
