/**
 * N writers, each with one connection: unique keys, one SET at a time, every acknowledged one remembered. At any error, also an error reply, the connection
 * is closed and made anew; what was not acknowledged is never sent again.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Locator, type Where } from "./locate.ts";
import { type Connection, ConnectionError, ReplyError } from "./resp.ts";

export type WritersOptions = Where & Pace;

export interface Pace {
  /** how many writers */
  readonly writers: number;
  /** each waits so long after an answer before its next write, ms */
  readonly pauseMs: number;
  /** limit of a connection attempt and of a command, ms */
  readonly timeoutMs: number;
  /** each write is followed by WAIT, and counts as acknowledged only when so many replicas have it: what a client does for a write that must not be lost */
  readonly waitFor?: number;
}

/** What happened since the window was opened. */
export interface Window {
  readonly startedAt: string;
  readonly ms: number;
  readonly acked: number;
  /** how long ago the last write was acknowledged, ms */
  readonly sinceAckMs: number;
  /** the longest time without an acknowledged write of any writer, ms */
  readonly gapMs: number;
  /** when that gap began: the time of the last write acknowledged before it */
  readonly gapStartedAt: string;
  /** the longest time within that gap for which this process itself stood still, ms */
  readonly gapStallMs: number;
  /** the longest time for which this process itself stood still, ms: a busy machine, and no fault of the server's */
  readonly stallMs: number;
  readonly errors: Readonly<Record<string, number>>;
  /** when each kind of error was met last */
  readonly lastErrorAt: Readonly<Record<string, string>>;
  /** the first errors, with their times */
  readonly firstErrors: readonly string[];
}

export interface Verdict {
  readonly acked: number;
  readonly missing: number;
  readonly examples: readonly string[];
}

/** After an error a writer waits so long before it connects again, ms: not a busy loop, and no patience either. */
const RECONNECT_MS = 10;
const ERRORS_SHOWN = 8;
const BATCH = 500;
const TICK_MS = 20;

export class Writers {
  readonly #options: WritersOptions;
  readonly #locator: Locator;
  readonly #run = Math.random().toString(36).slice(2, 8);
  /** the acknowledged sequence numbers of each writer */
  readonly #acked: number[][] = [];
  readonly #loops: Promise<void>[] = [];
  #stopped = false;
  #openedAt = 0;
  #windowAcked = 0;
  #lastAckAt = 0;
  #stallMs = 0;
  #tickAt = now_();
  readonly #ticking = setInterval(() => this.#tick(), TICK_MS);
  #gapMs = 0;
  #gapStartedAt = 0;
  #gapStallMs = 0;
  /** since the last acknowledged write, ms; and when that was looked at last */
  #stillMs = 0;
  #lookedAt = 0;
  #errors: Record<string, number> = {};
  #lastErrorAt: Record<string, string> = {};
  #firstErrors: string[] = [];

  constructor(options: WritersOptions) {
    this.#options = options;
    this.#locator = new Locator(options);
    this.#open();
    for (let writer = 0; writer < options.writers; writer += 1) {
      this.#acked.push([]);
      this.#loops.push(this.#write(writer));
    }
  }

  /** What happened since the last reset. */
  window(reset: boolean): Window {
    const now = now_();
    this.#look(now);
    this.#seenGap(now);
    const window: Window = {
      startedAt: iso(this.#openedAt),
      ms: round(now - this.#openedAt),
      acked: this.#windowAcked,
      sinceAckMs: round(now - this.#lastAckAt),
      gapMs: round(this.#gapMs),
      gapStartedAt: iso(this.#gapStartedAt),
      gapStallMs: round(this.#gapStallMs),
      stallMs: round(this.#stallMs),
      errors: { ...this.#errors },
      lastErrorAt: { ...this.#lastErrorAt },
      firstErrors: this.#firstErrors,
    };
    if (reset) this.#open();
    return window;
  }

  async stop(): Promise<Window> {
    this.#stopped = true;
    const window = this.window(false);
    await Promise.all(this.#loops);
    clearInterval(this.#ticking);
    return window;
  }

  /** Asks `target` for every acknowledged key. */
  async verify(where: Where): Promise<Verdict> {
    const connection = await new Locator(where).open(10_000);
    const keys = this.#acked.flatMap((numbers, writer) => numbers.map((number) => this.#key(writer, number)));
    const missing: string[] = [];
    try {
      for (let start = 0; start < keys.length; start += BATCH) {
        const batch = keys.slice(start, start + BATCH);
        // All at once; only where some are missing each is asked for.
        if ((await connection.command(["EXISTS", ...batch])) === batch.length) continue;
        const found = await Promise.all(batch.map(async (key) => await connection.command(["EXISTS", key])));
        missing.push(...batch.filter((_, index) => found[index] !== 1));
      }
    } finally {
      connection.close();
    }
    return { acked: keys.length, missing: missing.length, examples: missing.slice(0, 5) };
  }

  #open(): void {
    const now = now_();
    this.#openedAt = now;
    this.#lastAckAt = now;
    this.#gapStartedAt = now;
    this.#gapMs = 0;
    this.#gapStallMs = 0;
    this.#stillMs = 0;
    this.#lookedAt = now;
    this.#stallMs = 0;
    this.#windowAcked = 0;
    this.#errors = {};
    this.#lastErrorAt = {};
    this.#firstErrors = [];
  }

  #tick(): void {
    const now = now_();
    this.#stallMs = Math.max(this.#stallMs, now - this.#tickAt - TICK_MS);
    this.#tickAt = now;
    this.#look(now);
  }

  /** After a standstill whatever waited is done in any order, so every answer looks too: the standstill belongs to the gap that the answer ends, and to no later one. */
  #look(now: number): void {
    this.#stillMs = Math.max(this.#stillMs, now - this.#lookedAt - TICK_MS);
    this.#lookedAt = now;
  }

  #key(writer: number, number: number): string {
    return `w:${this.#run}:${writer}:${number}`;
  }

  async #write(writer: number): Promise<void> {
    let connection: Connection | undefined;
    let number = 0;
    while (!this.#stopped) {
      try {
        connection ??= await this.#locator.open(this.#options.timeoutMs);
        number += 1;
        if (await this.#set(connection, this.#key(writer, number))) this.#acknowledged(writer, number);
        else this.#count("too few replicas");
        if (this.#options.pauseMs > 0) await sleep(this.#options.pauseMs);
      } catch (error) {
        this.#failed(error);
        connection?.close();
        connection = undefined;
        await sleep(RECONNECT_MS);
      }
    }
    connection?.close();
  }

  /** Returns whether the write counts. */
  async #set(connection: Connection, key: string): Promise<boolean> {
    const { waitFor, timeoutMs } = this.#options;
    const set = connection.command(["SET", key, String(Date.now())]);
    if (waitFor === undefined) {
      await set;
      return true;
    }
    // In one packet with the SET; it answers before we would lose our patience.
    const wait = connection.command(["WAIT", String(waitFor), String(Math.floor(timeoutMs / 2))]);
    const [, replicas] = await Promise.all([set, wait]);
    return typeof replicas === "number" && replicas >= waitFor;
  }

  #acknowledged(writer: number, number: number): void {
    this.#acked[writer]?.push(number);
    this.#windowAcked += 1;
    const now = now_();
    this.#look(now);
    this.#seenGap(now);
    this.#lastAckAt = now;
    this.#stillMs = 0;
  }

  #seenGap(now: number): void {
    if (now - this.#lastAckAt <= this.#gapMs) return;
    this.#gapMs = now - this.#lastAckAt;
    this.#gapStartedAt = this.#lastAckAt;
    this.#gapStallMs = this.#stillMs;
  }

  #failed(error: unknown): void {
    this.#count(error instanceof ReplyError || error instanceof ConnectionError ? error.kind : String(error));
  }

  #count(kind: string): void {
    const at = iso(now_());
    this.#errors[kind] = (this.#errors[kind] ?? 0) + 1;
    this.#lastErrorAt[kind] = at;
    if (this.#firstErrors.length < ERRORS_SHOWN) this.#firstErrors.push(`${at} ${kind}`);
  }
}

/** ms since 1970, with fractions, never jumping back. */
const now_ = (): number => performance.timeOrigin + performance.now();
const iso = (ms: number): string => new Date(ms).toISOString();
const round = (ms: number): number => Math.round(ms * 10) / 10;
