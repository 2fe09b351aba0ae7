/**
 * npm run clients -- [--only ioredis,jedis,…] [--faults kill9,handover,rollout,partition] [--configs default,recommended] [--runs 1] [--json FILE] [--append]
 *                    [--where cluster|local] [--image redis:7] [--cluster clients] [--keep] [--note TEXT]
 * Real client libraries write through the master Service while the faults are made (README.md).
 * `--docs`: no run; docs/clients is written anew from the results in --json. `--build`: only builds the programs.
 */
import { parseArgs } from "node:util";
import { messageOf, say } from "../e2e/lib/wait.ts";
import { writeDocs } from "./docs.ts";
import type { Field } from "./field.ts";
import { build, CONFIGS, type Config, known, PROGRAMS } from "./programs.ts";
import { about, continued, readResults, writeResults } from "./results.ts";
import { trial } from "./trial.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(PROGRAMS).join(",") },
    faults: { type: "string" },
    configs: { type: "string", default: CONFIGS.join(",") },
    runs: { type: "string", default: "1" },
    writers: { type: "string", default: "4" },
    pause: { type: "string", default: "20" },
    json: { type: "string" },
    append: { type: "boolean", default: false },
    where: { type: "string", default: "cluster" },
    image: { type: "string", default: "redis:7" },
    cluster: { type: "string", default: "clients" },
    note: { type: "string" },
    keep: { type: "boolean", default: false },
    build: { type: "boolean", default: false },
    docs: { type: "boolean", default: false },
  },
});

const clients = values.only.split(",");
for (const name of clients) known(name);
const configs = values.configs.split(",").map((name): Config => {
  const found = CONFIGS.find((config) => config === name);
  if (found === undefined) throw new Error(`--configs ${name}: there are ${CONFIGS.join(", ")}`);
  return found;
});
if (values.docs) {
  if (values.json === undefined) throw new Error("--docs needs --json FILE: the results to write from");
  writeDocs(readResults(values.json));
  process.exit();
}
for (const name of clients) {
  say(`build ${name}`);
  await build(name);
}
if (values.build) process.exit();

const field = await open();
const faults = values.faults?.split(",") ?? Object.keys(field.faults);
const circumstances = about(field, values.note);
const results =
  values.append && values.json !== undefined ? continued(values.json, circumstances) : { about: circumstances, trials: [] };
const options = { configs, writers: Number(values.writers), pauseMs: Number(values.pause) };
// A program at full speed would be the others' fault: it runs by itself.
const groups = [
  clients.filter((name) => known(name).benchmark !== true),
  ...clients.filter((name) => known(name).benchmark === true).map((name) => [name]),
].filter((group) => group.length > 0);
let failed = 0;
try {
  for (const fault of faults) {
    for (let run = 1; run <= Number(values.runs); run += 1) {
      for (const group of groups) await one(fault, run, group);
    }
  }
} finally {
  await field.close();
}
if (failed > 0) process.exitCode = 1;

async function open(): Promise<Field> {
  if (values.where === "local") return await (await import("./local-field.ts")).openLocal();
  if (values.where !== "cluster") throw new Error(`--where ${values.where}: there are cluster and local`);
  const { openCluster } = await import("./cluster-field.ts");
  return await openCluster({ cluster: values.cluster, image: values.image, keep: values.keep });
}

async function one(fault: string, run: number, group: readonly string[]): Promise<void> {
  try {
    const result = await trial(field, fault, { ...options, clients: group });
    results.trials.push(result);
    for (const sample of result.samples) {
      const { client, config, gapMs, worstWriterMs, longestCallMs, stuckWriters, errors, lost, acked } = sample;
      say(
        `${fault} ${run}: ${client} (${config}): gap ${gapMs}, worst writer ${worstWriterMs}, longest call ${longestCallMs} ms, ` +
          `${stuckWriters} stuck, lost ${lost ?? "?"} of ${acked}, ${JSON.stringify(errors)}`,
      );
    }
    say(`${fault} ${run}: ${result.strays.length} writers' connections on replicas; stood still ${result.stallMs} ms`);
  } catch (error) {
    failed += 1;
    say(`${fault} ${run}: FAILED: ${messageOf(error)}`);
  }
  if (values.json !== undefined) writeResults(values.json, results);
}
