/**
 * npm run bench:failover -- [--only kill9,delete,…] [--subjects ours,sentinel,haproxy] [--runs 20] [--peer-runs 5] [--json FILE] [--append]
 *                           [--writers 8] [--image redis:7] [--cluster bench] [--keep]
 * The faults of faults.ts on a real cluster, seen by writers; then the same for the peers (peers/README.md).
 * `--only forced --runs 200`: failovers in quick succession, and whether each was exactly one promotion.
 * `--table FILE`: no run; the table of the results in --json, written between the markers of FILE.
 */
import { arch, availableParallelism, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { down, up } from "../../test/cluster/cluster.ts";
import { fullName } from "../../test/cluster/images/catalog.ts";
import { DEFAULT_KUBERNETES } from "../../test/cluster/versions.ts";
import { commit } from "../../test/e2e/lib/commit.ts";
import { messageOf, say } from "../../test/e2e/lib/wait.ts";
import { FAULTS } from "./faults.ts";
import { force, forcedText } from "./forced.ts";
import { continued, readResults, samplesOf, summarize, writeResults } from "./results.ts";
import { type Sample, sample, untilWhole } from "./run.ts";
import { Site } from "./site.ts";
import type { Stack, Subject } from "./stack.ts";
import { writeTable } from "./table.ts";

const FORCED = "forced";
const SUBJECTS: readonly Subject[] = ["ours", "sentinel", "haproxy"];
const NODES = 4;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    subjects: { type: "string", default: SUBJECTS.join(",") },
    runs: { type: "string", default: "20" },
    "peer-runs": { type: "string", default: "5" },
    json: { type: "string" },
    append: { type: "boolean", default: false },
    table: { type: "string" },
    writers: { type: "string", default: "8" },
    image: { type: "string", default: "redis:7" },
    cluster: { type: "string", default: "bench" },
    keep: { type: "boolean", default: false },
  },
});

const standard = Object.entries(FAULTS).flatMap(([name, { extra }]) => (extra === true ? [] : [name]));
const names = values.only?.split(",") ?? standard;
const unknown = names.filter((name) => name !== FORCED && FAULTS[name] === undefined);
if (unknown.length > 0) throw new Error(`--only ${unknown.join(",")}: there are ${Object.keys(FAULTS).join(", ")}, ${FORCED}`);
const subjects = values.subjects.split(",");
const runs = Number(values.runs);
const peerRuns = Math.min(runs, Number(values["peer-runs"]));

if (values.table !== undefined) {
  if (values.json === undefined) throw new Error("--table needs --json, the results of a benchmark");
  writeTable(values.table, readResults(values.json));
  process.exit();
}

const about = {
  date: new Date().toISOString().slice(0, 10),
  commit: commit(),
  image: fullName(values.image),
  kubernetes: DEFAULT_KUBERNETES,
  nodes: NODES,
  cores: availableParallelism(),
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  architecture: arch(),
  writers: Number(values.writers),
};
const results = continued(values.append ? values.json : undefined, about);

let stopping = false;
const stop = (signal: NodeJS.Signals): void => {
  if (stopping) process.exit(130);
  stopping = true;
  say(`${signal}: ends after this run; what was measured is kept. Once more: at once`);
};
process.on("SIGINT", stop);
process.on("SIGTERM", stop);

const image = fullName(values.image);
await up({
  name: values.cluster,
  nodes: NODES,
  images: [image, "docker.io/library/haproxy:2.6"],
  restartBackoffMaxS: 1,
});
const site = await Site.open(values.cluster, image);
const startedAt = performance.now();
try {
  if (subjects.includes("ours")) {
    const ours = await site.ours();
    await untilWhole(ours, "at the start");
    await measure(ours, names, runs);
    if (names.includes(FORCED)) {
      results.forced = await force(
        ours,
        runs,
        () => stopping,
        (forced) => writeResults(values.json, { ...results, forced }),
      );
    }
    await site.close();
  }
  const others = subjects.filter((subject) => subject !== "ours");
  if (others.length > 0 && names.some((name) => name !== FORCED) && !stopping) {
    const peers = await site.peers();
    await untilWhole(peers, "at the start");
    await measure(peers, names, peerRuns);
  }
} finally {
  // Writers at full speed must not outlive a failed run.
  await site.close();
  site.bed.close();
  writeResults(values.json, results);
  if (!values.keep) await down({ name: values.cluster });
}
for (const name of standard) for (const subject of SUBJECTS) print(name, subject);
if (results.forced !== undefined) say(forcedText(results.forced));
if (results.failures.length > 0) say(`${results.failures.length} runs failed: ${JSON.stringify(results.failures)}`);

async function measure(stack: Stack, faults: readonly string[], count: number): Promise<void> {
  const who = stack.seats.map(({ subject }) => subject).join("+");
  for (const name of faults) {
    const fault = FAULTS[name];
    if (fault === undefined) continue;
    for (let run = 0; run < count && !stopping; run += 1) {
      try {
        const samples = await sample(stack, name, fault, Math.floor(Number(values.writers) / stack.seats.length));
        results.samples.push(...samples);
        for (const one of samples) say(`${clock()} ${name} ${run + 1}/${count} ${text(one)}`);
      } catch (error) {
        results.failures.push({ stack: who, fault: name, error: messageOf(error) });
        say(`${clock()} ${name} ${run + 1}/${count} ${who}: FAILED: ${messageOf(error)}`);
        await site.explain();
        if (
          await untilWhole(stack, "after a failed run").then(
            () => false,
            () => true,
          )
        )
          return;
      }
      writeResults(values.json, results);
    }
    for (const { subject } of stack.seats) print(name, subject);
  }
}

function text({ subject, gapMs, lost, acked, wholeMs, steps, errors, stallMs, gapFromMs }: Sample): string {
  const stall = stallMs > 50 ? ` (client stood still ${Math.round(stallMs)} ms)` : "";
  const path = steps.map(({ step, ms }) => `${step} ${Math.round(ms)}`).join(", ");
  return (
    `${subject}: gap ${Math.round(gapMs)} ms from ${Math.round(gapFromMs)}${stall}, lost ${lost} of ${acked}, whole after ${wholeMs} ms` +
    `${path === "" ? "" : `; ${path}`}; ${JSON.stringify(errors)}`
  );
}

function print(fault: string, subject: Subject): void {
  const summary = summarize(samplesOf(results, fault, subject));
  if (summary === undefined) return;
  const { n, p50, p99, worst, lost, lostRuns, acked, wholeP50 } = summary;
  const [a, b, c] = [p50, p99, worst].map((ms) => String(Math.round(ms)).padStart(6));
  say(
    `== ${fault.padEnd(10)} ${subject.padEnd(8)} n ${n}  gap p50 ${a} p99 ${b} worst ${c} ms  lost ${lost} of ${acked} in ${lostRuns} runs  whole ${wholeP50} ms`,
  );
}

function clock(): string {
  const s = Math.round((performance.now() - startedAt) / 1000);
  return `[${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}]`;
}
