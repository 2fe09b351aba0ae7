/** The results of runs: a JSON file, and what is told from it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { commit, withCommit } from "../e2e/lib/commit.ts";
import type { Field } from "./field.ts";
import type { Config } from "./programs.ts";
import type { Sample, Trial } from "./trial.ts";

export interface Results {
  readonly about: Readonly<Record<string, string | number>>;
  readonly trials: Trial[];
}

/** The circumstances of a run; `note`: what only a person knows, like "the machine did other work". */
export function about(field: Field, note: string | undefined): Results["about"] {
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    ...field.about,
    cores: availableParallelism(),
    "load at the start": Math.round(loadavg()[0] ?? 0),
    ...(note === undefined ? {} : { note }),
  };
}

/** Reads a file of results; throws where there is none. */
export function readResults(file: string): Results {
  return JSON.parse(readFileSync(file, "utf8")) as Results;
}

/** The results that more runs are added to; new ones under these circumstances where there is no file yet. */
export function continued(file: string, circumstances: Results["about"]): Results {
  if (!existsSync(file)) return { about: circumstances, trials: [] };
  const { about: before, trials } = readResults(file);
  return { about: withCommit(before), trials };
}

export function writeResults(file: string, results: Results): void {
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
}

/** All runs of one client in one configuration under one fault. */
export function samplesOf({ trials }: Results, client: string, config: Config, fault: string): Sample[] {
  return trials
    .filter((trial) => trial.fault === fault)
    .flatMap(({ samples }) => samples)
    .filter((sample) => sample.client === client && sample.config === config);
}
