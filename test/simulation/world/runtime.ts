/**
 * Lends virtual time to the product: the clock, the timers and the randomness of JavaScript itself are replaced, so that the product's code runs as it is.
 * Whose clock and timers they are is the process whose event runs.
 */
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";
import "./real.ts";
import type { Proc, World } from "./world.ts";

let world: World | undefined;

/** The world that the product lives in from now on. */
export function inhabit(next: World): void {
  world = next;
}

function self(): Proc {
  const proc = world?.current;
  if (proc === undefined) throw new Error("the product ran outside of a simulated process: something real woke it");
  return proc;
}

const RealDate = Date;

class SimulatedDate extends RealDate {
  constructor(...given: [] | [number | string | Date]) {
    if (given.length === 0) super(SimulatedDate.now());
    else super(given[0]);
  }

  static override now(): number {
    return world?.current === undefined ? RealDate.now() : Math.floor(world.current.wallMs);
  }
}

/** What setTimeout returns; as much of a NodeJS.Timeout as anybody uses. */
class SimulatedTimeout {
  #timer: { cancel(): void };
  readonly #proc: Proc;
  readonly #ms: number;
  readonly #call: () => void;
  readonly #again: boolean;

  constructor(ms: number, call: () => void, again: boolean) {
    this.#proc = self();
    this.#ms = Number.isFinite(ms) ? Math.max(1, ms) : 1;
    this.#again = again;
    this.#call = call;
    this.#timer = this.#start();
  }

  #start(): { cancel(): void } {
    return this.#proc.after(this.#ms, () => {
      if (this.#again) this.#timer = this.#start();
      this.#call();
    });
  }

  refresh(): this {
    this.#timer.cancel();
    this.#timer = this.#start();
    return this;
  }

  cancel(): void {
    this.#timer.cancel();
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}

function sleep(ms: number, value?: unknown, options: { signal?: AbortSignal } = {}): Promise<unknown> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      timeout.cancel();
      reject(new DOMException("The operation was aborted", "AbortError"));
    };
    const timeout = new SimulatedTimeout(
      ms,
      () => {
        signal?.removeEventListener("abort", abort);
        resolve(value);
      },
      false,
    );
    if (signal?.aborted === true) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Once in a thread, before the product is loaded. */
export function replaceRuntime(): void {
  const stop = (timeout: unknown): void => {
    if (timeout instanceof SimulatedTimeout) timeout.cancel();
  };
  const start =
    (again: boolean) =>
    (call: (...args: unknown[]) => void, ms = 1, ...args: unknown[]): SimulatedTimeout =>
      new SimulatedTimeout(ms, () => call(...args), again);
  Object.assign(globalThis, {
    Date: SimulatedDate,
    setTimeout: start(false),
    setInterval: start(true),
    setImmediate: (call: (...args: unknown[]) => void, ...args: unknown[]) => start(false)(call, 0, ...args),
    clearTimeout: stop,
    clearInterval: stop,
    clearImmediate: stop,
  });
  const startedAt = RealDate.now();
  Object.defineProperty(performance, "now", {
    value: () => (world?.current === undefined ? RealDate.now() - startedAt : world.now + 1000),
  });
  Math.random = () => (world === undefined ? 0.5 : world.random.next());
  Object.assign(crypto, { randomBytes: (size: number) => Buffer.from(world?.random.hex(2 * size) ?? "", "hex") });
  Object.assign(timers, { setTimeout: sleep });
  syncBuiltinESMExports();
  process.on("unhandledRejection", (reason) => world?.crashes.push(`an unhandled rejection: ${String(reason)}`));
}
