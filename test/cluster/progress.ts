import { stderr } from "node:process";

const start = performance.now();

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}

/** Prints one line of progress with the time since the start of the command. */
export function say(text: string): void {
  stderr.write(`${stderr.isTTY ? "\r\u001b[K" : ""}[${seconds(start).padStart(6)} s] ${text}\n`);
}

/**
 * Runs one step of the work and prints a line when it starts and when it ends.
 * On a terminal a live counter runs in between; in a log there are only the two lines.
 */
export async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  say(`${what} …`);
  const counter = stderr.isTTY
    ? setInterval(() => stderr.write(`\r\u001b[K          ${what}: ${seconds(began)} s`), 500)
    : undefined;
  try {
    const result = await work();
    clearInterval(counter);
    say(`${what}: done in ${seconds(began)} s`);
    return result;
  } catch (error) {
    clearInterval(counter);
    say(`${what}: FAILED after ${seconds(began)} s`);
    throw error;
  }
}
