/**
 * Connections that are held open as long as the server lets them: by a pool that needs none now, by a reader, by a subscriber. Each notes which server it is connected
 * to; closed, it connects anew. So it can be told who stays with a server that is no longer the master.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Locator, type Where } from "./locate.ts";
import type { Connection } from "./resp.ts";

export type Holding = "idle" | "reading" | "subscribed";

export type HoldersOptions = Where & {
  /** how many of each kind */
  readonly each: number;
};

export interface Held {
  readonly kind: Holding;
  /** the server's run_id, or undefined while there is no connection */
  readonly server: string | undefined;
  /** connections that were closed by the other side, oldest first; `at` in ms since 1970 */
  readonly closed: readonly { readonly at: number; readonly server: string }[];
}

interface Holder {
  readonly kind: Holding;
  server: string | undefined;
  readonly closed: { at: number; server: string }[];
}

/** Longer than any test: a server that stands still is waited for. */
const PATIENCE_MS = 60_000;
const CONNECT_MS = 1000;
const READ_PAUSE_MS = 20;
/** No pause worth mentioning: the worst client is the one that is back before the proxies have moved, ms. */
const RECONNECT_MS = 2;

export class Holders {
  readonly #locator: Locator;
  readonly #held: Holder[] = [];
  readonly #open = new Set<Connection>();
  #stopped = false;

  constructor(options: HoldersOptions) {
    this.#locator = new Locator(options);
    for (const kind of ["idle", "reading", "subscribed"] as const) {
      for (let count = 0; count < options.each; count += 1) {
        const one = { kind, server: undefined, closed: [] };
        this.#held.push(one);
        void this.#hold(one);
      }
    }
  }

  state(): readonly Held[] {
    return this.#held;
  }

  stop(): void {
    this.#stopped = true;
    for (const connection of this.#open) connection.close();
  }

  async #hold(one: Holder): Promise<void> {
    while (!this.#stopped) {
      let connection: Connection | undefined;
      try {
        connection = await this.#locator.open(CONNECT_MS, PATIENCE_MS);
        this.#open.add(connection);
        one.server = await runId(connection);
        await use(connection, one.kind);
      } catch {
        // the next attempt follows
      } finally {
        connection?.close();
        if (connection !== undefined) this.#open.delete(connection);
      }
      if (one.server !== undefined) one.closed.push({ at: Date.now(), server: one.server });
      one.server = undefined;
      await sleep(RECONNECT_MS);
    }
  }
}

async function runId(connection: Connection): Promise<string> {
  const info = String(await connection.command(["INFO", "server"]));
  return /^run_id:(\w+)/m.exec(info)?.[1] ?? "";
}

/** Until it is closed. */
async function use(connection: Connection, kind: Holding): Promise<void> {
  if (kind === "subscribed") await connection.command(["SUBSCRIBE", "news"]);
  if (kind !== "reading") {
    await connection.closed;
    return;
  }
  let open = true;
  void connection.closed.then(() => {
    open = false;
  });
  while (open) {
    // An error reply (MASTERDOWN, LOADING) is no reason for a reader to leave.
    await connection.command(["GET", "held"]).catch(() => undefined);
    await sleep(READ_PAUSE_MS);
  }
}
