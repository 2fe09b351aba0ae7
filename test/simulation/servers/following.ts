/** The replica's side of a replication link (redis 7 replication.c). */
import { End } from "../world/network.ts";
import type { Entry } from "./data.ts";
import type { RedisServer } from "./redis.ts";
import { type Ack, NO_HISTORY, type Psync, type Stream, TIMEOUT_MS } from "./replication.ts";

const ACK_MS = 1000;

/**
 * A replica that PSYNC and then SYNC are refused to by a stale server begins again at once: some thousand times a second, a third of which INFO calls a sync in progress
 * (test/protocol; valkey 9 calls all of it so). Fewer and longer here.
 */
const REFUSED_SYNC_MS = 20;

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
