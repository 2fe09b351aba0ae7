/**
 * npm run matrix -- [--only kill9,oom,…] [--runs 1] [--image redis:7|redis:8|valkey:8|valkey:9] [--json FILE] [--append] [--cluster matrix] [--keep]
 * Every fault on the real cluster, each followed by the question whether the three invariants held. `--list` names them, `--explain` tells the whole story of each run.
 * `--durable`: a group with `durability: replicated`, and clients that WAIT for one replica: then no fault may lose anything.
 * `--within SECONDS`: no run begins later than that.
 * `--logs DIR`: what all pods said during each run, in the order of time.
 * `--table FILE`: no run; the table of the results in --json, written between the markers of FILE.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { down, up } from "../../test/cluster/cluster.ts";
import { fullName } from "../../test/cluster/images/catalog.ts";
import { DEFAULT_KUBERNETES } from "../../test/cluster/versions.ts";
import { ClientPod } from "../../test/e2e/lib/client-pod.ts";
import { commit, withCommit } from "../../test/e2e/lib/commit.ts";
import { untilSettled } from "../../test/e2e/lib/settled.ts";
import { messageOf, say } from "../../test/e2e/lib/wait.ts";
import { EXPECTED, type Ours } from "../failover/ours.ts";
import { Site } from "../failover/site.ts";
import type { Faults, MatrixFault } from "./fault.ts";
import { CLUSTER } from "./faults/cluster.ts";
import { NETWORK } from "./faults/network.ts";
import { PROCESSES } from "./faults/processes.ts";
import { type MatrixSample, runFault } from "./run.ts";
import { type MatrixResults, writeMatrix } from "./table.ts";

const FAULTS: Faults = { ...PROCESSES, ...NETWORK, ...CLUSTER };
const NODES = 4;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(FAULTS).join(",") },
    runs: { type: "string", default: "1" },
    image: { type: "string", default: "redis:7" },
    json: { type: "string" },
    append: { type: "boolean", default: false },
    table: { type: "string" },
    list: { type: "boolean", default: false },
    cluster: { type: "string", default: "matrix" },
    keep: { type: "boolean", default: false },
    explain: { type: "boolean", default: false },
    durable: { type: "boolean", default: false },
    logs: { type: "string" },
    within: { type: "string", default: "Infinity" },
  },
});

if (values.list) {
  for (const [name, { what }] of Object.entries(FAULTS)) console.log(`${name.padEnd(20)} ${what}`);
  process.exit();
}
const names = values.only.split(",");
const unknown = names.filter((name) => FAULTS[name] === undefined);
if (unknown.length > 0) throw new Error(`--only ${unknown.join(",")}: there are ${Object.keys(FAULTS).join(", ")}`);

const DURABLE = values.durable ? { clients: "with WAIT 1", durability: "replicated" } : {};
const image = fullName(values.image);
const results = load();
if (values.table !== undefined) {
  writeMatrix(values.table, results, FAULTS);
  process.exit();
}

const enough = performance.now() + Number(values.within) * 1000;
let stopping = false;
const stop = (signal: NodeJS.Signals): void => {
  if (stopping) process.exit(130);
  stopping = true;
  say(`${signal}: ends after this run; what was measured is kept. Once more: at once`);
};
process.on("SIGINT", stop);
process.on("SIGTERM", stop);

await up({ name: values.cluster, nodes: NODES, images: [image, "docker.io/library/redis:7"], restartBackoffMaxS: 1 });
const site = await Site.open(values.cluster, image);
let group: { ours: Ours; smallDisk: boolean; clients: Map<string, ClientPod> } | undefined;
try {
  for (const name of names) {
    const fault = FAULTS[name];
    for (let run = 0; fault !== undefined && run < Number(values.runs) && !stopping && performance.now() < enough; run += 1)
      await attempt(name, fault, run);
  }
} finally {
  await site.close();
  site.bed.close();
  save();
  if (!values.keep) await down({ name: values.cluster });
}
for (const sample of results.samples) if (!(sample.inv1 && sample.inv2 && sample.inv3)) say(`BROKEN ${text(sample)}`);
say(`${results.samples.length} runs, ${results.failures.length} that did not come to their end`);

async function attempt(name: string, fault: MatrixFault, run: number): Promise<void> {
  try {
    const { ours, clients } = await groupFor(fault);
    const { node } = await ours.master();
    const client = fault.clientWithMaster === true ? await clientOn(ours, clients, node) : ours.group.client;
    const sample = await runFault({ ours, client, name, fault, run, durable: values.durable, logs: logsOf(name) });
    results.samples.push(sample);
    say(text(sample));
    const broken = !(sample.inv1 && sample.inv2 && sample.inv3);
    if (broken || values.explain) await site.explain();
  } catch (error) {
    results.failures.push({ fault: name, error: messageOf(error) });
    say(`${name} ${run + 1}: FAILED: ${messageOf(error)}`);
    await site.explain();
    await site.close();
    group = undefined;
  }
  save();
}

function logsOf(name: string): string | undefined {
  if (values.logs === undefined) return undefined;
  mkdirSync(values.logs, { recursive: true });
  return join(values.logs, `${name}-${new Date().toISOString().replace(/[:.]/g, "")}.log`);
}

/** The group, whole; a new one where there is none, or where the fault needs another kind. */
async function groupFor(fault: MatrixFault): Promise<{ ours: Ours; clients: Map<string, ClientPod> }> {
  const smallDisk = fault.smallDisk === true;
  if (group !== undefined && group.smallDisk !== smallDisk) {
    await site.close();
    group = undefined;
  }
  group ??= { ours: await site.ours({ smallDisk, durable: values.durable }), smallDisk, clients: new Map() };
  await untilSettled(group.ours.group, EXPECTED);
  return group;
}

async function clientOn(ours: Ours, clients: Map<string, ClientPod>, node: string): Promise<ClientPod> {
  const known = clients.get(node);
  if (known !== undefined) return known;
  const client = await ClientPod.start(site.bed, ours.namespace, `client-${node}`, node);
  clients.set(node, client);
  return client;
}

function text(one: MatrixSample): string {
  const held = [one.inv1, one.inv2, one.inv3].map((yes, at) => `${yes ? "" : "NOT "}INV${at + 1}`).join(" ");
  const whole = one.convergedMs === undefined ? `NOT WHOLE: ${one.missing}` : `whole ${one.convergedMs} ms after`;
  const stall = one.stallMs > 100 ? ` (client stood still ${Math.round(one.stallMs)} ms)` : "";
  return (
    `${one.fault}: gap ${Math.round(one.gapMs)} ms from ${Math.round(one.gapFromMs)}${stall}, lost ${one.lost} of ${one.acked} (may lose ${one.allowedLoss}), ` +
    `two writable ${one.twoWritableMs} ms, ${one.addresses} address, ${whole}, ${held}; ${JSON.stringify(one.errors)} ${one.notes.join("; ")} ${one.steps.map(({ step, ms }) => `${step} ${Math.round(ms)}`).join(", ")}`
  );
}

function load(): MatrixResults {
  const { json, append, table } = values;
  if (table !== undefined && json === undefined) throw new Error("--table needs --json, the results of the matrix");
  if (json !== undefined && (table !== undefined || (append && existsSync(json)))) {
    const before = JSON.parse(readFileSync(json, "utf8")) as MatrixResults;
    return table !== undefined ? before : { ...before, about: withCommit(before.about) };
  }
  const date = new Date().toISOString().slice(0, 10);
  return {
    about: {
      date,
      commit: commit(),
      image,
      kubernetes: DEFAULT_KUBERNETES,
      nodes: NODES,
      cores: availableParallelism(),
      ...DURABLE,
    },
    samples: [],
    failures: [],
  };
}

function save(): void {
  if (values.json === undefined) return;
  writeFileSync(`${values.json}.new`, `${JSON.stringify(results, null, 1)}\n`);
  renameSync(`${values.json}.new`, values.json);
}
