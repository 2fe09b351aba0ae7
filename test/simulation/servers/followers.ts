/** The master's side of its replication links (redis 7 replication.c). */
import { type Entry, entryAt } from "./data.ts";
import type { RedisServer } from "./redis.ts";
import { type Ack, NO_HISTORY, type Psync, type Stream, TIMEOUT_MS } from "./replication.ts";
import type { Connection } from "./server.ts";

/** repl-diskless-sync-delay, which the boot script sets to 1 s */
const SYNC_DELAY_MS = 1000;

interface Follower {
  readonly ip: string;
  readonly port: number;
  online: boolean;
  acked: number;
  ackedAt: number;
  /** the last entry that was sent */
  sent: Entry | undefined;
}

export class Followers {
  readonly #server: RedisServer;
  readonly #all = new Map<Connection, Follower>();
  #good = 0;

  constructor(server: RedisServer) {
    this.#server = server;
  }

  get count(): number {
    return this.#all.size;
  }

  /** min-replicas-to-write holds; looked at once a second, and when a replica comes or goes (refreshGoodSlavesCount) */
  get enough(): boolean {
    const wanted = Number(this.#server.parameters.get("min-replicas-to-write") ?? "0");
    return wanted === 0 || this.#good >= wanted;
  }

  refresh(): void {
    const { world } = this.#server.proc;
    const lag = Number(this.#server.parameters.get("min-replicas-max-lag") ?? "10");
    this.#good = 0;
    for (const [connection, one] of this.#all) {
      if (world.now - one.ackedAt > TIMEOUT_MS) this.#server.close(connection);
      else if (one.online && Math.floor((world.now - one.ackedAt) / 1000) <= lag) this.#good += 1;
    }
  }

  gone(connection: Connection): void {
    if (this.#all.delete(connection)) this.refresh();
  }

  drop(): void {
    for (const connection of [...this.#all.keys()]) this.#server.close(connection);
  }

  infoLines(): string[] {
    const { world } = this.#server.proc;
    const lines = [`connected_slaves:${this.#all.size}`];
    let number = 0;
    for (const one of this.#all.values()) {
      const lag = Math.floor((world.now - one.ackedAt) / 1000);
      lines.push(
        `slave${number}:ip=${one.ip},port=${one.port},state=${one.online ? "online" : "wait_bgsave"},offset=${one.acked},lag=${lag}`,
      );
      number += 1;
    }
    return lines;
  }

  /** New entries to all that are in step. */
  feed(): void {
    const { head } = this.#server;
    for (const [connection, one] of this.#all) {
      if (one.sent === undefined || one.sent === head) continue;
      const entries: Entry[] = [];
      for (let at: Entry | undefined = head; at !== undefined && at !== one.sent; at = at.before) entries.push(at);
      one.sent = head;
      connection.end.send({ entries: entries.reverse() } satisfies Stream);
    }
  }

  /** Whether the message was one of a replica. */
  handle(connection: Connection, message: unknown): boolean {
    const { psync } = message as Partial<Psync>;
    const { ack } = message as Partial<Ack>;
    if (ack !== undefined) {
      const one = this.#all.get(connection);
      if (one === undefined) return true;
      one.acked = ack;
      one.ackedAt = this.#server.proc.world.now;
      if (!one.online && one.sent !== undefined) {
        one.online = true;
        this.refresh();
      }
      return true;
    }
    if (psync === undefined) return false;
    this.#psync(connection, psync);
    return true;
  }

  #psync(connection: Connection, psync: Psync["psync"]): void {
    const server = this.#server;
    const { proc } = server;
    const wrong = server.password !== undefined && psync.password !== server.password;
    // A replica without its own master refuses (NOMASTERLINK), one that loads does too.
    if (wrong || server.loading || (!server.isMaster && !server.following.up)) {
      connection.end.send({ refused: !wrong && !server.loading && server.stale ? "stale" : "no" } satisfies Stream);
      return;
    }
    connection.type = "replica";
    const follower: Follower = {
      ip: psync.ip,
      port: psync.port,
      online: false,
      acked: 0,
      ackedAt: proc.world.now,
      sent: undefined,
    };
    this.#all.set(connection, follower);
    const from = this.#continuation(psync);
    if (from !== undefined) {
      follower.online = true;
      follower.sent = from;
      follower.acked = from.offset;
      this.refresh();
      connection.end.send({ resume: { replid: server.replid } } satisfies Stream);
      this.feed();
      return;
    }
    // The first one begins a history: what was written before it, nobody could go on from (syncCommand).
    if (this.#all.size === 1 && server.backlogFrom === undefined) {
      server.replid = proc.world.random.hex(40);
      server.replid2 = NO_HISTORY;
      server.secondOffset = -1;
      server.backlogFrom = server.offset;
    }
    connection.end.send({ full: { replid: server.replid } } satisfies Stream);
    proc.after(SYNC_DELAY_MS, () => {
      if (this.#all.get(connection) !== follower) return;
      const { head, replid } = server;
      follower.sent = head;
      const transferMs = 5 + proc.world.random.next() * 60 + head.keys * 0.2;
      proc.after(transferMs, () => {
        if (this.#all.get(connection) === follower) connection.end.send({ snapshot: { head, replid } } satisfies Stream);
      });
    });
  }

  /** masterTryPartialResynchronization: the entry to go on from, or undefined for a full copy. */
  #continuation(psync: Psync["psync"]): Entry | undefined {
    const server = this.#server;
    const same = psync.replid === server.replid;
    const former = psync.replid === server.replid2 && psync.offset + 1 <= server.secondOffset;
    if (!same && !former) return undefined;
    if (server.backlogFrom === undefined || psync.offset < server.backlogFrom || psync.offset > server.offset) return undefined;
    return entryAt(server.head, psync.offset);
  }
}
