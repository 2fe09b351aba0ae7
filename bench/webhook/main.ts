/** npm run bench:webhook [-- --json FILE] [--seconds N] [--rounds N] [--only "10 KiB"]: see README.md */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createAuthority, writePair } from "../../test/unit/webhook/certificate.ts";
import { drive, percentile, type Run } from "./load.ts";
import { type Memory, type Report, type Row, report } from "./report.ts";
import { type Review, reviews } from "./reviews.ts";
import { remove, type Server, startGo, startOurs } from "./servers.ts";

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    seconds: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
  },
});
const STEADY_MS = Number(values.seconds) * 1000;
const FLOOD_MS = STEADY_MS / 2;
const ROUNDS = Number(values.rounds);
const all = reviews();
const compared = all.filter(({ name }) => values.only === undefined || values.only === name);
if (compared.length === 0) throw new Error(`--only ${values.only}: there are ${all.map(({ name }) => name).join(", ")}`);
const FLOOD_CONNECTIONS = 8;
const STEADY_CONNECTIONS = 16;
const RATE = 500;
const WARM_MS = 1500;
const COLD_STARTS = 5;
/** The size that most pods have: the one that the aims speak of. */
const TYPICAL = "10 KiB";
const FIRST_PORT = 21_000;

/** The last core serves; this process, which makes the load, keeps to the others. */
const CORE = cpus().length - 1;
if (CORE > 0) execFileSync("taskset", ["-a", "-c", "-p", `0-${CORE - 1}`, String(process.pid)], { stdio: "ignore" });

const BEGIN = [startOurs, startGo];
let port = FIRST_PORT;
const begin = async (one: typeof startOurs): Promise<Server> => {
  port += 2;
  return await one(port, folder, String(CORE));
};

const folder = mkdtempSync(join(tmpdir(), "redis-ha-bench-"));
const authority = await createAuthority();
writePair(folder, await authority.issue("localhost"));
const opened: Server[] = [];
try {
  const startsMs = await coldStarts();
  const memory = await memoryUnderLoad();
  const both = [await begin(startOurs), await begin(startGo)];
  opened.push(...both);
  const rows: Row[] = [];
  for (const review of compared) rows.push(...(await compare(both, review)));
  const found: Report = {
    rows,
    parseUs: Object.fromEntries(compared.map(({ name, body }) => [name, parseUs(body)])),
    startsMs,
    memory,
  };
  report(found, { typical: TYPICAL, ...(values.json === undefined ? {} : { json: values.json }) });
} finally {
  for (const server of opened) server.stop();
  remove(folder);
}

async function coldStarts(): Promise<Report["startsMs"]> {
  const all: Record<string, number[]> = {};
  for (let index = 0; index < COLD_STARTS; index += 1) {
    for (const one of BEGIN) {
      const server = await begin(one);
      all[server.name] = [...(all[server.name] ?? []), server.coldStartMs];
      server.stop();
    }
  }
  return all;
}

/** Each in a fresh process: after the start, under the steady rate of usual reviews, then under a flood of them, then of the largest. */
async function memoryUnderLoad(): Promise<Memory[]> {
  const usual = all.find(({ name }) => name === TYPICAL);
  const largest = all.at(-1);
  const found: Memory[] = [];
  for (const one of BEGIN) {
    const server = await begin(one);
    opened.push(server);
    const target = { port: server.port, ca: authority.ca };
    const note = (when: string): void => void found.push({ server: server.name, when, ...server.memory() });
    note("after the start");
    if (usual) await drive(target, usual.body, { connections: STEADY_CONNECTIONS, forMs: 2 * STEADY_MS, rate: RATE });
    note(`${RATE}/s of ${TYPICAL}`);
    if (usual) await drive(target, usual.body, { connections: FLOOD_CONNECTIONS, forMs: STEADY_MS });
    note(`a flood of ${TYPICAL}`);
    if (largest) await drive(target, largest.body, { connections: FLOOD_CONNECTIONS, forMs: STEADY_MS });
    note(`a flood of ${largest?.name}`);
    server.stop();
  }
  return found;
}

/** Turn by turn, so that whatever else the machine does hits both: side by side they would share the core. */
async function compare(servers: readonly Server[], { name, body }: Review): Promise<Row[]> {
  const parts = servers.map((server) => ({
    server,
    target: { port: server.port, ca: authority.ca },
    cpuUs: 0,
    floods: [] as Run[],
    steadies: [] as Run[],
  }));
  for (const { target } of parts) await drive(target, body, { connections: FLOOD_CONNECTIONS, forMs: WARM_MS });
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const part of parts) {
      const before = part.server.cpuMs();
      part.floods.push(await drive(part.target, body, { connections: FLOOD_CONNECTIONS, forMs: FLOOD_MS }));
      part.cpuUs += (part.server.cpuMs() - before) * 1000;
    }
    for (const part of parts) {
      // More than two thirds of a core at this rate: then at a tenth of it, else the queue would be measured.
      const rate = (part.cpuUs / countOf(part.floods)) * RATE > 700_000 ? RATE / 10 : RATE;
      part.steadies.push(await drive(part.target, body, { connections: STEADY_CONNECTIONS, forMs: STEADY_MS, rate }));
    }
  }
  return parts.map(({ server, cpuUs, floods, steadies }) => {
    const each = cpuUs / countOf(floods);
    const sorted = steadies.flatMap(({ latenciesMs }) => latenciesMs).toSorted((a, b) => a - b);
    return {
      server: server.name,
      review: name,
      bytes: body.length,
      perSecond: countOf(floods) / floods.reduce((sum, { seconds }) => sum + seconds, 0),
      cpuUs: each,
      perCoreSecond: 1_000_000 / each,
      patchBytes: floods[0]?.patchBytes ?? 0,
      rate: steadies.at(-1)?.rate ?? 0,
      p50Ms: percentile(sorted, 0.5),
      p99Ms: percentile(sorted, 0.99),
      p999Ms: percentile(sorted, 0.999),
      quietestP99Ms: Math.min(
        ...steadies.map(({ latenciesMs }) =>
          percentile(
            latenciesMs.toSorted((a, b) => a - b),
            0.99,
          ),
        ),
      ),
      generatorLateP99Ms: percentile(
        steadies.flatMap(({ lateMs }) => lateMs).toSorted((a, b) => a - b),
        0.99,
      ),
    };
  });
}

function countOf(runs: readonly Run[]): number {
  return runs.reduce((sum, { latenciesMs }) => sum + latenciesMs.length, 0);
}

/** The limit: turning the bytes into a text and that into objects, as every injector in JavaScript must. */
function parseUs(body: Buffer): number {
  const rounds = Math.max(20, Math.min(5000, Math.round(20_000_000 / body.length)));
  const best: number[] = [];
  for (let repeat = 0; repeat < 5; repeat += 1) {
    const before = process.threadCpuUsage();
    for (let round = 0; round < rounds; round += 1) JSON.parse(body.toString("utf8"));
    const { user, system } = process.threadCpuUsage(before);
    best.push((user + system) / rounds);
  }
  return Math.min(...best);
}
