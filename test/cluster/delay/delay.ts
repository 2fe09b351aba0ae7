/** All packets of one address delayed on its node, on kernels without netem: routed through a TUN device that gives them back later. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cached } from "../build/artifact.ts";
import { type Choice, nodeCommand, nodeExec } from "../operate.ts";
import { run } from "../process.ts";

const SOURCE = join(import.meta.dirname, "delay.c");
const DEVICE = "slow0";
const TABLE = "77";
const READY_MS = 5000;

/** Delays what a node sends to and takes from an address by `ms`, each way; returns what ends that. */
export async function delay(node: string, address: string, ms: number, choice: Choice = {}): Promise<() => Promise<void>> {
  const child = spawn(...(await commandLine(node, ms, choice)));
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const ready = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no delay on ${node} after ${READY_MS} ms`)), READY_MS);
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`the delay on ${node} ended with ${code}`)));
    child.stdout?.once("data", () => {
      clearTimeout(timer);
      resolve();
    });
  });
  const end = async (): Promise<void> => {
    await ip(
      node,
      RULES(address).map((rule) => `rule del ${rule}`),
      choice,
      true,
    );
    child.stdin?.end();
    await ended;
  };
  try {
    await ready;
    await ip(node, [`link set ${DEVICE} up`, `route add default dev ${DEVICE} table ${TABLE}`], choice, false);
    await ip(
      node,
      RULES(address).map((rule) => `rule add ${rule}`),
      choice,
      false,
    );
  } catch (error) {
    await end();
    throw error;
  }
  return end;
}

/** What comes back from the device goes its usual way. */
const RULES = (address: string): string[] => [
  `pref 100 iif ${DEVICE} lookup main`,
  `pref 101 to ${address} lookup ${TABLE}`,
  `pref 102 from ${address} lookup ${TABLE}`,
];

async function ip(node: string, commands: readonly string[], choice: Choice, allowFailure: boolean): Promise<void> {
  const force = allowFailure ? ["-force"] : [];
  const input = `${commands.join("\n")}\n`;
  await nodeExec(node, ["ip", ...force, "-batch", "-"], { ...choice, input, allowFailure, timeoutMs: 10_000 });
}

async function commandLine(
  node: string,
  ms: number,
  choice: Choice,
): Promise<[string, string[], { stdio: ["pipe", "pipe", "inherit"] }]> {
  const [program = "", ...args] = nodeCommand(node, [await build(), DEVICE, String(ms)], choice);
  return [program, args, { stdio: ["pipe", "pipe", "inherit"] }];
}

async function build(): Promise<string> {
  const hash = createHash("sha256").update(readFileSync(SOURCE)).digest("hex").slice(0, 10);
  return await cached({
    path: `bin/delay-${hash}`,
    what: "build the tool that delays packets",
    make: async (target, log) => void (await run("gcc", ["-Wall", "-Wextra", "-O2", "-o", target, SOURCE], { log })),
    kept: 2,
  });
}
