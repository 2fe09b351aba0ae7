/**
 * Where a client finds its master: behind one address, or by asking sentinels as the guidelines for Sentinel clients say
 * (redis.io/docs/latest/develop/reference/sentinel-clients): the first that answers tells, it is asked first from then on, and ROLE has to agree.
 */
import { Connection, ConnectionError, type Reply, type Target } from "./resp.ts";

/** A master that sentinels know by name. */
export interface ByName {
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  readonly masterName: string;
  readonly password?: string;
}

export type Where = Target | ByName;

/** Makes connections to the master, each within `timeoutMs` per step; their commands have `commandMs`, by default the same. */
export class Locator {
  readonly #where: Where;
  #sentinels: ByName["sentinels"];

  constructor(where: Where) {
    this.#where = where;
    this.#sentinels = "sentinels" in where ? where.sentinels : [];
  }

  async open(timeoutMs: number, commandMs = timeoutMs): Promise<Connection> {
    const where = this.#where;
    if (!("sentinels" in where)) return await Connection.open(where, timeoutMs, commandMs);
    const address = await this.#ask(where.masterName, timeoutMs);
    const password = where.password === undefined ? {} : { password: where.password };
    const connection = await Connection.open({ ...address, ...password }, timeoutMs, commandMs);
    try {
      const role = await connection.command(["ROLE"]);
      if (!Array.isArray(role) || role[0] !== "master") throw new ConnectionError("not-master");
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async #ask(masterName: string, timeoutMs: number): Promise<{ host: string; port: number }> {
    for (const sentinel of this.#sentinels) {
      try {
        const connection = await Connection.open(sentinel, timeoutMs);
        const reply = await connection
          .command(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", masterName])
          .finally(() => connection.close());
        const address = addressIn(reply);
        if (address === undefined) continue;
        this.#sentinels = [sentinel, ...this.#sentinels.filter((other) => other !== sentinel)];
        return address;
      } catch {
        // the next one is asked
      }
    }
    throw new ConnectionError("no-sentinel");
  }
}

function addressIn(reply: Reply): { host: string; port: number } | undefined {
  if (!Array.isArray(reply)) return undefined;
  const [host, port] = reply;
  return typeof host === "string" && typeof port === "string" ? { host, port: Number(port) } : undefined;
}
