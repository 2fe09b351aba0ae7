/**
 * `npm test`: every check of the project, in the order of what fails fastest; `--only lint,types` selects.
 * The very last line is `N passed, N failed`; the exit code says the same.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";

interface Result {
  passed: number;
  failed: number;
  skipped: number;
  /** what a person should read: failures and skipped tests, by name */
  readonly notes: string[];
}

interface Stage {
  readonly what: string;
  readonly limitMinutes: number;
  readonly run: (limitMs: number) => Promise<Result>;
}

const ROOT = join(import.meta.dirname, "..");
const STILL_RUNNING_MS = 10_000;

const STAGES: Readonly<Record<string, Stage>> = {
  lint: { what: "Biome on all files", limitMinutes: 5, run: program(["@biomejs/biome/bin/biome", "check", "."]) },
  types: {
    what: "the TypeScript compiler; the page's browser side has types of its own",
    limitMinutes: 5,
    run: both(program(["typescript/bin/tsc", "--noEmit"]), program(["typescript/bin/tsc", "--noEmit", "-p", "page/browser"])),
  },
  unit: { what: "unit tests, scenarios", limitMinutes: 10, run: vitest("unit", "default") },
  simulation: { what: "two thousand simulated groups with faults", limitMinutes: 15, run: vitest("simulation", "verbose") },
  process: { what: "the server as a process, under load", limitMinutes: 10, run: vitest("process", "verbose") },
  page: { what: "the page in a real Chromium", limitMinutes: 10, run: vitest("page", "verbose") },
  boot: { what: "the boot scripts with real servers", limitMinutes: 20, run: vitest("boot", "verbose") },
  protocol: { what: "the sentinels' protocol, on every version", limitMinutes: 10, run: vitest("protocol", "verbose") },
  conformance: {
    what: "the simulator's models beside real servers",
    limitMinutes: 10,
    run: vitest("conformance", "verbose"),
  },
  cluster: { what: "everything on a real Kubernetes cluster", limitMinutes: 60, run: vitest("cluster", "verbose") },
};

/** One after the other, each with the whole limit. */
function both(first: Stage["run"], second: Stage["run"]): Stage["run"] {
  return async (limitMs) => {
    const [one, other] = [await first(limitMs), await second(limitMs)];
    return {
      passed: one.passed + other.passed,
      failed: one.failed + other.failed,
      skipped: one.skipped + other.skipped,
      notes: [...one.notes, ...other.notes],
    };
  };
}

/** A check without tests of its own: it counts as one. */
function program(command: readonly string[]): Stage["run"] {
  return async (limitMs) => {
    const started = performance.now();
    const ticking = setInterval(() => console.log(`  still running (${seconds(performance.now() - started)})`), STILL_RUNNING_MS);
    const { code, output } = await start(command, limitMs, false);
    clearInterval(ticking);
    if (code === 0) return { passed: 1, failed: 0, skipped: 0, notes: [] };
    process.stdout.write(output);
    return { passed: 0, failed: 1, skipped: 0, notes: [`${command[0]} ended with ${code}`] };
  };
}

/** The part of Vitest's JSON report that is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

function vitest(project: string, reporter: string): Stage["run"] {
  return async (limitMs) => {
    const folder = mkdtempSync(join(tmpdir(), "redis-ha-test-"));
    const file = join(folder, "report.json");
    try {
      const reporters = [`--reporter=${reporter}`, "--reporter=json", `--outputFile.json=${file}`];
      const command = ["vitest/vitest.mjs", "run", "--project", project, "--passWithNoTests", ...reporters];
      const { code } = await start(command, limitMs, true);
      return count(project, code, file);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  };
}

/** Whatever did not end as it should is a failure: a crash, a file that could not be loaded, a suite without a test. */
function count(project: string, code: number, file: string): Result {
  const result: Result = { passed: 0, failed: 0, skipped: 0, notes: [] };
  const fail = (note: string): void => {
    result.failed += 1;
    result.notes.push(note);
  };
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, "utf8")) as Report;
  } catch {
    fail(`${project}: no report; the test runner ended with ${code}`);
    return result;
  }
  for (const suite of report.testResults) {
    const name = relative(ROOT, suite.name);
    if (suite.assertionResults.length === 0) fail(`${name}: no test ran${suite.message ? `: ${suite.message}` : ""}`);
    for (const test of suite.assertionResults) {
      if (test.status === "passed") result.passed += 1;
      else if (test.status === "failed") fail(`${name}: ${test.fullName}`);
      else {
        result.skipped += 1;
        result.notes.push(`skipped: ${name}: ${test.fullName}`);
      }
    }
  }
  if (report.testResults.length === 0) fail(`${project}: there is no test`);
  if (code !== 0 && result.failed === 0) fail(`${project}: the test runner ended with ${code}`);
  return result;
}

/** Runs a program of node_modules under this Node; beyond its limit it is ended. */
async function start(command: readonly string[], limitMs: number, attached: boolean): Promise<{ code: number; output: string }> {
  const [script = "", ...args] = command;
  const child = spawn(process.execPath, [join(ROOT, "node_modules", script), ...args], {
    cwd: ROOT,
    stdio: attached ? "inherit" : ["ignore", "pipe", "pipe"],
    timeout: limitMs,
    killSignal: "SIGTERM",
  });
  // The terminal sends Ctrl-C to the child as well; it cleans up, and then this process reports.
  const ignore = (): void => undefined;
  process.on("SIGINT", ignore);
  const stop = (): boolean => child.kill("SIGTERM");
  process.on("SIGTERM", stop);
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => chunks.push(chunk));
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status, signal) => resolve(status ?? (signal === null ? 1 : 143)));
    });
    return { code, output: Buffer.concat(chunks).toString() };
  } finally {
    process.off("SIGINT", ignore);
    process.off("SIGTERM", stop);
  }
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function chosen(): string[] {
  const names = Object.keys(STAGES);
  const { values } = parseArgs({ options: { only: { type: "string" }, help: { type: "boolean", short: "h" } } });
  if (values.help === true) {
    console.log(`npm test -- [--only ${names.join(",")}]`);
    for (const name of names) console.log(`  ${name.padEnd(10)} ${STAGES[name]?.what}`);
    process.exit(0);
  }
  const wanted = values.only === undefined ? names : values.only.split(",");
  const unknown = wanted.filter((name) => !names.includes(name));
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(",")}: there are ${names.join(", ")}`);
  return names.filter((name) => wanted.includes(name));
}

const total = { passed: 0, failed: 0, skipped: 0 };
const summary: string[] = [];
const notes: string[] = [];
const wanted = chosen();
for (const [name, stage] of Object.entries(STAGES)) {
  if (!wanted.includes(name)) {
    summary.push(`${name.padEnd(10)} not run (--only)`);
    continue;
  }
  console.log(`\n== ${name}: ${stage.what}`);
  const began = performance.now();
  const result = await stage
    .run(stage.limitMinutes * 60_000)
    .catch((error: unknown): Result => ({ passed: 0, failed: 1, skipped: 0, notes: [`${name}: ${String(error)}`] }));
  const line = `${result.passed} passed, ${result.failed} failed${result.skipped > 0 ? `, ${result.skipped} skipped` : ""}`;
  console.log(`== ${name}: ${line} in ${seconds(performance.now() - began)}`);
  summary.push(`${name.padEnd(10)} ${line} in ${seconds(performance.now() - began)}`);
  total.passed += result.passed;
  total.failed += result.failed;
  total.skipped += result.skipped;
  notes.push(...result.notes);
}

console.log(`\n${summary.join("\n")}`);
for (const note of notes) console.log(`  ${note}`);
if (total.skipped > 0) console.log(`${total.skipped} skipped`);
// Before the last line, so that nothing can follow it.
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
console.log(`${total.passed} passed, ${total.failed} failed`);
