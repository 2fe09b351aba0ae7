/** The same write tried again while earlier tries are still on their way. */
import { setTimeout as sleep } from "node:timers/promises";

/** Nothing has come of any try yet. */
export class Late extends Error {
  override readonly name = "Late";
}

/**
 * Tries of which the first that succeeds counts. They are all conditional on a version of the same object, so no two of one version succeed, and a late one does
 * nothing where another was first.
 */
export class Tries<T> {
  readonly #stopped = new AbortController();
  readonly #earlier: Promise<T>[] = [];

  /** For the requests: ends those that nobody waits for any more. */
  get signal(): AbortSignal {
    return this.#stopped.signal;
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** The first success of this try and the earlier ones. Rejects as this try does, or with Late, when nothing has come of any of them within this time, ms. */
  async add(newest: Promise<T>, withinMs: number): Promise<T> {
    const late = new AbortController();
    const first = Promise.race([
      newest,
      ...this.#earlier,
      sleep(withinMs, undefined, { signal: late.signal }).then(() => {
        throw new Late(`no answer in ${withinMs} ms`);
      }),
    ]);
    // Whether it fails does not count any more once there is a newer one.
    this.#earlier.push(newest.catch(() => new Promise<T>(() => undefined)));
    return await first.finally(() => late.abort());
  }
}
