/** npm run bench:webhook [-- --json FILE] [--seconds N]: see README.md */
import { mkdtempSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createAuthority } from "../../test/unit/webhook/certificate.ts";
import { drive, percentile } from "./load.ts";
import { reviews } from "./reviews.ts";
import { remove, type Server, startGo, startOurs } from "./servers.ts";

interface Row {
  readonly server: string;
  readonly review: string;
  readonly bytes: number;
  readonly perSecond: number;
  /** what one core could do if it did nothing else: 1 / CPU per admission */
  readonly perCoreSecond: number;
  readonly cpuUs: number;
  readonly patchBytes: number;
  /** at a steady rate */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

const { values } = parseArgs({ options: { json: { type: "string" }, seconds: { type: "string", default: "4" } } });
const FOR_MS = Number(values.seconds) * 1000;
const CONNECTIONS = 8;
const RATE = 500;
/** The last core serves; the client runs on the others. */
const CORE = String(cpus().length - 1);
const COLD_STARTS = 5;

const folder = mkdtempSync(join(tmpdir(), "redis-ha-bench-"));
const authority = await createAuthority();
const pair = await authority.issue("localhost");
writeFileSync(join(folder, "tls.crt"), pair.cert);
writeFileSync(join(folder, "tls.key"), pair.key);

const starts = { ours: [] as number[], go: [] as number[] };
for (let index = 0; index < COLD_STARTS; index += 1) {
  for (const [key, begin] of [["ours", startOurs] as const, ["go", startGo] as const]) {
    const server = await begin(21_000 + index * 4 + (key === "ours" ? 0 : 2), folder, CORE);
    starts[key].push(server.coldStartMs);
    server.stop();
  }
}

const servers: Server[] = [await startOurs(21_800, folder, CORE), await startGo(21_810, folder, CORE)];
const rows: Row[] = [];
const parse: Record<string, number> = {};
try {
  for (const { name, body } of reviews()) {
    parse[name] = parseUs(body);
    // One after the other, and once before for warmth: side by side they would share the core.
    for (const server of servers) await drive({ port: server.port, ca: authority.ca }, body, CONNECTIONS, 1500);
    for (const server of servers) rows.push(await measure(server, name, body));
  }
  const memory = servers.map((server) => ({ server: server.name, ...server.memory() }));
  report({ rows, parse, starts, memory });
} finally {
  for (const server of servers) server.stop();
  remove(folder);
}

async function measure(server: Server, review: string, body: Buffer): Promise<Row> {
  const target = { port: server.port, ca: authority.ca };
  const before = server.cpuMs();
  const flood = await drive(target, body, CONNECTIONS, FOR_MS);
  const cpuUs = ((server.cpuMs() - before) * 1000) / flood.count;
  // A large review at this rate is more than a core has: then at a tenth of it.
  const rate = cpuUs * RATE > 700_000 ? RATE / 10 : RATE;
  const steady = await drive(target, body, 16, FOR_MS, rate);
  const sorted = steady.latenciesMs.toSorted((a, b) => a - b);
  return {
    server: server.name,
    review,
    bytes: body.length,
    perSecond: flood.count / flood.seconds,
    perCoreSecond: 1_000_000 / cpuUs,
    cpuUs,
    patchBytes: flood.patchBytes,
    rate,
    p50Ms: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
    p999Ms: percentile(sorted, 0.999),
  };
}

/** The limit: turning the bytes into a text and that into objects, as every injector in JavaScript must. */
function parseUs(body: Buffer): number {
  const rounds = Math.max(20, Math.min(5000, Math.round(20_000_000 / body.length)));
  const best: number[] = [];
  for (let repeat = 0; repeat < 5; repeat += 1) {
    const startedAt = performance.now();
    for (let round = 0; round < rounds; round += 1) JSON.parse(body.toString("utf8"));
    best.push(((performance.now() - startedAt) * 1000) / rounds);
  }
  return Math.min(...best);
}

interface Report {
  readonly rows: readonly Row[];
  readonly parse: Readonly<Record<string, number>>;
  readonly starts: typeof starts;
  readonly memory: readonly { readonly server: string; readonly now: number; readonly most: number }[];
}

function report(found: Report): void {
  const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}`;
  console.log(`${machine}\n`);
  console.log(
    "| review | server | admissions/s | CPU each, µs | per core and s | parse alone, µs | at /s | p50 ms | p99 ms | p99.9 ms | patch, bytes |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|---|---|");
  for (const row of found.rows) {
    const numbers = [row.perSecond, row.cpuUs, row.perCoreSecond, found.parse[row.review] ?? 0, row.rate].map((one) =>
      one.toFixed(0),
    );
    const delays = [row.p50Ms, row.p99Ms, row.p999Ms].map((one) => one.toFixed(2));
    console.log(`| ${[row.review, row.server, ...numbers, ...delays, row.patchBytes].join(" | ")} |`);
  }
  const median = (list: readonly number[]): string =>
    `${list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]?.toFixed(0)} ms`;
  console.log(
    `\ncold start to ready, median of ${COLD_STARTS}: redis-ha ${median(found.starts.ours)}, Go ${median(found.starts.go)}`,
  );
  for (const { server, now, most } of found.memory)
    console.log(`memory of ${server}: ${now.toFixed(0)} MiB now, ${most.toFixed(0)} MiB at most`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ machine, ...found }, null, 2)}\n`);
}
