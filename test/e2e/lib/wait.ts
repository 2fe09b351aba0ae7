/** Waiting for conditions, always bounded, never silent for long. */
import { stderr } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

/** After this time, and then again and again, a line says what is still waited for, ms. */
const SAY_AFTER_MS = 3000;
const SAY_EVERY_MS = 10_000;
const EVERY_MS = 100;

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** One line of progress for the person who watches. */
export function say(text: string): void {
  stderr.write(`  ${text}\n`);
}

/**
 * Asks until an answer comes without an error and returns it; an error means "not yet" and its message says what is missing.
 * After `withinMs` it fails with the last of them.
 */
export async function waitUntil<T>(what: string, withinMs: number, ask: () => Promise<T>): Promise<T> {
  const start = performance.now();
  let tellAt = start + SAY_AFTER_MS;
  for (;;) {
    let missing: string;
    try {
      return await ask();
    } catch (error) {
      missing = messageOf(error);
    }
    const now = performance.now();
    if (now - start > withinMs) throw new Error(`waited ${Math.round(withinMs / 1000)} s for ${what}: ${missing}`);
    if (now > tellAt) {
      tellAt = now + SAY_EVERY_MS;
      say(`waiting for ${what} (${Math.round((now - start) / 1000)} s): ${missing}`);
    }
    await sleep(EVERY_MS);
  }
}
