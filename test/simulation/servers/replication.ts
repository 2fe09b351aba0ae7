/** Both sides of a replication link: the replica that follows, and the master with its followers (redis 7 replication.c). */
import { End } from "../world/network.ts";
import { type Entry, entryAt } from "./data.ts";
import type { RedisServer } from "./redis.ts";
import type { Connection } from "./server.ts";

interface Psync {
  readonly psync: {
    readonly password: string | undefined;
    readonly replid: string;
    readonly offset: number;
    readonly ip: string;
    readonly port: number;
  };
}
interface Ack {
  readonly ack: number;
}
interface Stream {
  readonly entries?: readonly Entry[];
  readonly resume?: { readonly replid: string };
  readonly full?: { readonly replid: string };
  readonly snapshot?: { readonly head: Entry; readonly replid: string };
  /** stale: MASTERDOWN; no: a wrong password, LOADING, NOMASTERLINK */
  readonly refused?: "stale" | "no";
}

/** repl-timeout */
const TIMEOUT_MS = 60_000;
const ACK_MS = 1000;
/** repl-diskless-sync-delay, which the boot script sets to 1 s */
const SYNC_DELAY_MS = 1000;

/**
 * A replica that PSYNC and then SYNC are refused to by a stale server begins again at once: some thousand times a second, a third of which INFO calls a sync in progress
 * (test/protocol; valkey 9 calls all of it so). Fewer and longer here.
 */
const REFUSED_SYNC_MS = 20;

/** What INFO says where there is none */
const NO_HISTORY = "0".repeat(40);

/** The replica's side. */
export class Following {
  readonly #server: RedisServer;
  master: { ip: string; port: number } | undefined;
  #end: End | undefined;
  #attempt = 0;
  /** a history and an offset to go on from: the "cached master" */
  #cached: boolean;
  #state: "connect" | "connecting" | "sync" | "connected" = "connect";
  loading = false;
  /** since when the link is down; undefined: it was never up */
  downSince: number | undefined;
  #heardAt = 0;

  constructor(server: RedisServer, cached: boolean) {
    this.#server = server;
    this.#cached = cached;
    server.proc.every(
      () => ACK_MS,
      () => this.up && this.#end?.send({ ack: server.offset } satisfies Ack),
    );
  }

  get up(): boolean {
    return this.#state === "connected";
  }

  get syncing(): boolean {
    return this.#state === "sync";
  }

  /** Since when its link is down, ms; 0: it is up or copying; infinite: it never was. */
  get deafMs(): number {
    if (this.up || (this.syncing && !this.#cached)) return 0;
    return this.downSince === undefined ? Number.POSITIVE_INFINITY : this.#server.proc.world.now - this.downSince;
  }

  get roleState(): string {
    return this.#state;
  }

  /** INFO's slave_repl_offset: 1 while there is no master to go on from */
  get offset(): number {
    return this.up || this.#cached ? this.#server.offset : 1;
  }

  /** As it is started: by its configuration. */
  start(master: { ip: string; port: number } | undefined): void {
    this.master = master;
  }

  /** REPLICAOF */
  follow(master: { ip: string; port: number }): void {
    // replicationCacheMasterUsingMyself: what was a master goes on from its own history.
    if (this.master === undefined) {
      this.#cached = true;
      this.#server.backlogFrom ??= this.#server.offset;
    }
    if (this.up) this.downSince = this.#server.proc.world.now;
    this.#hangUp();
    this.master = master;
  }

  /** REPLICAOF NO ONE */
  forget(): void {
    this.#hangUp();
    this.master = undefined;
    this.#cached = false;
    this.downSince = undefined;
  }

  #hangUp(): void {
    this.#attempt += 1;
    this.#end?.close();
    this.#end = undefined;
    this.#state = "connect";
    this.loading = false;
  }

  cron(): void {
    const { world } = this.#server.proc;
    if (this.master === undefined) return;
    if (this.#state !== "connect" && world.now - this.#heardAt > TIMEOUT_MS) this.#lost();
    else if (this.#state === "connect") this.begin();
  }

  begin(): void {
    const { master } = this;
    const server = this.#server;
    if (master === undefined || this.#state !== "connect" || server.loading) return;
    this.#state = "connecting";
    this.#heardAt = server.proc.world.now;
    // The waiting replica's nobody: the kernel accepts and nobody ever speaks (ADR 0006).
    if (master.ip.startsWith("127.")) return;
    const attempt = ++this.#attempt;
    server.network.dial(server.proc, master.ip, master.port, (end) => {
      if (attempt !== this.#attempt) {
        if (end instanceof End) end.close();
        return;
      }
      if (!(end instanceof End)) {
        this.#state = "connect";
        return;
      }
      this.#end = end;
      end.onClose = () => this.#lost();
      end.onMessage = (message) => {
        if (attempt === this.#attempt) this.#hear(message as Stream);
      };
      end.send({
        psync: {
          password: server.password,
          replid: this.#cached ? server.replid : "?",
          offset: this.#cached ? server.offset : -1,
          ip: server.site.ip,
          port: server.port,
        },
      } satisfies Psync);
    });
  }

  #lost(): void {
    const wasUp = this.up;
    if (wasUp) {
      this.#cached = true;
      this.downSince = this.#server.proc.world.now;
    }
    this.#hangUp();
    // Tried again at once, then every second (replicationHandleMasterDisconnection).
    if (wasUp) this.begin();
  }

  #hear(message: Stream): void {
    const server = this.#server;
    const { world } = server.proc;
    this.#heardAt = world.now;
    if (message.refused !== undefined) {
      // Without a password the PING before it is refused already, and the next try is cron's.
      if (message.refused === "no" || server.password === undefined) this.#hangUp();
      else this.#refusedSync();
      return;
    }
    if (message.resume !== undefined) {
      const { replid } = message.resume;
      if (replid !== server.replid) {
        server.replid2 = server.replid;
        server.secondOffset = server.offset + 1;
        server.replid = replid;
        server.followers.drop();
      }
      server.backlogFrom ??= server.offset;
      this.#connected();
    }
    if (message.full !== undefined) this.#state = "sync";
    if (message.snapshot !== undefined) {
      const { head, replid } = message.snapshot;
      const attempt = this.#attempt;
      // Only now it gives up what it could go on from (replicationAttachToNewMaster, since redis 7.0).
      this.#cached = false;
      this.loading = true;
      server.proc.after(2 + Math.min(500, head.keys * 0.2), () => {
        if (attempt !== this.#attempt) return;
        this.loading = false;
        server.head = head;
        server.replid = replid;
        server.replid2 = NO_HISTORY;
        server.secondOffset = -1;
        server.backlogFrom = head.offset;
        server.followers.drop();
        // The received file is what a restart finds (RDB).
        server.save();
        this.#connected();
        this.#apply(this.#early);
        this.#early = [];
      });
    }
    if (message.entries !== undefined) {
      if (this.up) this.#apply(message.entries);
      else this.#early = [...this.#early, ...message.entries];
    }
  }

  #refusedSync(): void {
    const attempt = this.#attempt;
    this.#state = "sync";
    this.#server.proc.after(REFUSED_SYNC_MS, () => {
      if (attempt !== this.#attempt) return;
      this.#hangUp();
      this.#server.proc.after(REFUSED_SYNC_MS * 2, () => this.begin());
    });
  }

  #early: Entry[] = [];

  #apply(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.#server.head = last;
    this.#server.followers.feed();
  }

  #connected(): void {
    this.#state = "connected";
    this.#cached = true;
    this.#end?.send({ ack: this.#server.offset } satisfies Ack);
  }
}

interface Follower {
  readonly ip: string;
  readonly port: number;
  online: boolean;
  acked: number;
  ackedAt: number;
  /** the last entry that was sent */
  sent: Entry | undefined;
}

/** The master's side. */
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
