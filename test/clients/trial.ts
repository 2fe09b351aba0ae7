/** One fault under the writes of some clients at once. */
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, say } from "../e2e/lib/wait.ts";
import type { Field } from "./field.ts";
import { type Measured, measure } from "./measure.ts";
import { CONFIGS, type Config, known } from "./programs.ts";
import { Running, type RunOptions } from "./running.ts";

export interface Sample extends Measured {
  readonly client: string;
  readonly config: Config;
  readonly fault: string;
  /** acknowledged writes that the master has not at the end; undefined for a program that tells no keys */
  readonly lost: number | undefined;
  /** the program's own end, if it ended by itself */
  readonly remark?: string;
}

export interface Trial {
  readonly fault: string;
  readonly samples: Sample[];
  /** connections of writers on servers that are no masters, seconds after the end of the fault */
  readonly strays: readonly string[];
  /** how long this process itself stood still at most, ms: a busy machine */
  readonly stallMs: number;
}

export interface TrialOptions {
  readonly clients: readonly string[];
  readonly configs: readonly Config[];
  readonly writers: number;
  readonly pauseMs: number;
}

const START_ATTEMPTS = 3;
const WARM_MS = 3000;
/** After the server is whole again clients get so long to write again; who doesn't is stuck. */
const RECOVER_MS = 30_000;
const AFTER_MS = 3000;
const STUCK_AFTER_MS = 2500;
const TICK_MS = 20;

/** All clients in all their configurations meet the same fault at the same moment. */
export async function trial(field: Field, fault: string, options: TrialOptions): Promise<Trial> {
  await field.calm();
  await field.flush();
  const wanted = options.clients.flatMap((client) => options.configs.map((config) => ({ client, config })));
  const running: Running[] = [];
  const stall = watchStall();
  try {
    for (const { client, config } of wanted) {
      const command = field.place(await known(client).start());
      const { writers, pauseMs } = options;
      running.push(await begin(client, command, { target: field.target, config, writers, pauseMs }));
    }
    await sleep(WARM_MS);
    for (const one of running)
      if (one.lastAckAt === 0) throw new Error(`${one.title} wrote nothing before the fault: ${one.words}`);
    stall.reset();
    const faultAtMs = Date.now();
    await field.fault(fault);
    await recovered(running);
    await sleep(AFTER_MS);
    const endMs = Date.now();
    const strays = await field.strays();
    await Promise.all(running.map(async (one) => await one.stop()));
    const samples: Sample[] = [];
    for (const one of running) {
      const writers = known(one.name).benchmark === true ? 1 : options.writers;
      const measured = measure(one.lines, one.stamps, { faultAtMs, endMs, writers, stuckAfterMs: STUCK_AFTER_MS });
      const lost = known(one.name).benchmark === true ? undefined : (await field.missing(one.keys)).length;
      samples.push({ client: one.name, config: one.config, fault, ...measured, lost });
    }
    return { fault, samples, strays, stallMs: stall.worst() };
  } finally {
    stall.stop();
    await Promise.all(running.map(async (one) => await one.stop()));
  }
}

/** What is measured begins with the fault: a first connection that a busy machine was too slow for is tried again. */
async function begin(name: string, command: readonly string[], options: RunOptions): Promise<Running> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await Running.start(name, command, options);
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
      say(`once more: ${messageOf(error).slice(0, 200)}`);
    }
  }
}

/** Waits until each program has written in the last second, or until those that don't had their time. */
async function recovered(running: readonly Running[]): Promise<void> {
  const limit = Date.now() + RECOVER_MS;
  for (;;) {
    const silent = running.filter(({ lastAckAt }) => Date.now() - lastAckAt > 1000);
    if (silent.length === 0) return;
    if (Date.now() > limit) {
      say(`did not write again: ${silent.map(({ title }) => title).join(", ")}`);
      return;
    }
    await sleep(100);
  }
}

function watchStall(): { reset: () => void; worst: () => number; stop: () => void } {
  let worst = 0;
  let at = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    worst = Math.max(worst, now - at - TICK_MS);
    at = now;
  }, TICK_MS);
  return {
    reset: () => {
      worst = 0;
    },
    worst: () => Math.round(worst),
    stop: () => clearInterval(timer),
  };
}

export { CONFIGS };
