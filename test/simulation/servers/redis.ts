/**
 * A model of redis-server 7 as far as this project depends on it: roles, replication ids and offsets, CLIENT PAUSE and KILL, min-replicas, INFO, CONFIG, PUBLISH.
 * The replication itself is in following.ts and followers.ts. Rules without a source here were seen on real servers: the conformance test (test/conformance) runs
 * the same script on this model and on those.
 */
import type { Network, Site } from "../world/network.ts";
import type { Proc } from "../world/world.ts";
import { append, type Disk, EMPTY, type Entry, promoted, recounted } from "./data.ts";
import { Followers } from "./followers.ts";
import { Following } from "./following.ts";
import { error } from "./protocol.ts";
import { type Connection, LATER, Server } from "./server.ts";

export interface RedisOptions {
  readonly name: string;
  readonly proc: Proc;
  readonly network: Network;
  readonly site: Site;
  readonly port: number;
  readonly password: string | undefined;
  /** what is on its disk */
  readonly disk: Disk;
  readonly parameters: Readonly<Record<string, string>>;
  readonly replicaof: { ip: string; port: number } | undefined;
}

/** PUBLISH of a hello and a small SET, as RESP in the replication stream, bytes. */
const HELLO_BYTES = 230;
const WRITE_BYTES = 90;
const PING_BYTES = 14;
/** replicationCron: repl-ping-replica-period, and the second in which lags are looked at, ms */
const PING_MS = 10_000;
const CRON_MS = 1000;

export class RedisServer extends Server {
  readonly name: string;
  readonly runId: string;
  readonly disk: Disk;
  readonly parameters: Map<string, string>;
  head: Entry;
  replid: string;
  replid2 = "0".repeat(40);
  /** the first byte that is not of replid2 any more (second_repl_offset) */
  secondOffset = -1;
  /** the replication stream can be told from here on; undefined: no backlog */
  backlogFrom: number | undefined;
  loading = true;
  /** by its own clock */
  pausedUntil = 0;
  readonly following: Following;
  readonly followers: Followers;
  /** for the verdict about data: a client's write was taken; the server became a master, by whose command */
  onWrite: (write: string, entry: Entry) => void = () => undefined;
  onPromotion: (entry: Entry, by: string, deafMs: number) => void = () => undefined;

  constructor(options: RedisOptions) {
    super(options.proc, options.network, options.site, options.port, options.password);
    const { random } = options.proc.world;
    this.name = options.name;
    this.runId = random.hex(40);
    this.disk = options.disk;
    this.parameters = new Map(Object.entries(options.parameters));
    const { disk } = options;
    // An RDB file carries replication id and offset, an append-only file does not (server.c, loadDataFromDisk).
    const known = disk.kind === "rdb" && disk.replid !== "";
    this.replid = known ? disk.replid : random.hex(40);
    this.head = disk.kind === "none" ? EMPTY : known ? disk.head : recounted(disk.head, 0);
    this.following = new Following(this, known);
    this.followers = new Followers(this);
    this.following.start(options.replicaof);
    const loadMs = 5 + Math.min(2000, this.head.keys * 0.5);
    this.proc.after(loadMs, () => {
      this.loading = false;
      this.following.begin();
    });
    this.proc.every(
      () => CRON_MS,
      () => this.#cron(),
    );
    this.proc.every(
      () => PING_MS,
      () => {
        if (this.isMaster && !this.paused && this.followers.count > 0) this.feed(PING_BYTES);
      },
    );
    this.proc.onKill(() => this.#died());
    this.listen();
  }

  get isMaster(): boolean {
    return this.following.master === undefined;
  }

  get offset(): number {
    return this.head.offset;
  }

  get paused(): boolean {
    return this.proc.wallMs < this.pausedUntil;
  }

  /** It would take a write from a client now. */
  get writable(): boolean {
    return this.proc.alive && !this.proc.frozen && this.isMaster && !this.loading && !this.paused && this.followers.enough;
  }

  /** What was done here goes to the followers. */
  feed(bytes: number, write?: string): void {
    this.head = append(this.head, bytes, write);
    this.backlogFrom ??= this.followers.count > 0 ? this.head.offset : undefined;
    this.followers.feed();
  }

  /** A snapshot, as `save` or an orderly end writes it. */
  save(): void {
    if (this.disk.kind !== "rdb" || this.loading) return;
    this.#write();
  }

  #write(): void {
    this.disk.head = this.head;
    this.disk.replid = this.replid;
    this.disk.modifiedAt = this.proc.wallMs;
  }

  #cron(): void {
    if (!this.paused) this.resume();
    this.followers.refresh();
    this.following.cron();
    // appendfsync everysec
    if (this.disk.kind === "aof" && !this.loading && this.head !== this.disk.head) this.#write();
  }

  #died(): void {
    // What was written to the file survives the process, but not the machine.
    if (this.disk.kind === "aof" && !this.proc.silent && !this.loading) this.#write();
  }

  protected override receive(connection: Connection, message: unknown): void {
    if (this.followers.handle(connection, message)) return;
    super.receive(connection, message);
  }

  protected override onGone(connection: Connection): void {
    this.followers.gone(connection);
  }

  protected execute(connection: Connection, command: readonly string[]): unknown {
    const name = (command[0] ?? "").toUpperCase();
    switch (name) {
      case "SET":
        return this.#set(command[1] ?? "");
      case "PING":
        return this.loading
          ? error("LOADING Redis is loading the dataset in memory")
          : this.stale
            ? error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")
            : "PONG";
      case "INFO":
        return this.#info();
      case "ROLE":
        return this.#role();
      case "CONFIG":
        return this.#config(command);
      case "REPLICAOF":
      case "SLAVEOF":
        return this.#replicaof(connection, command);
      case "CLIENT":
        return this.#client(connection, command);
      case "PUBLISH":
        return this.#publish(command);
      case "SUBSCRIBE":
      case "PSUBSCRIBE":
        connection.type = "pubsub";
        for (const channel of command.slice(1)) connection.channels.add(channel);
        return command[1];
      default:
        return error(`ERR unknown command '${name}'`);
    }
  }

  /** It has no master to copy from, and is not to answer as long. */
  get stale(): boolean {
    return !this.isMaster && !this.following.up && this.parameters.get("replica-serve-stale-data") === "no";
  }

  #set(write: string): unknown {
    if (this.loading) return error("LOADING Redis is loading the dataset in memory");
    if (!this.isMaster) return error("READONLY You can't write against a read only replica.");
    if (!this.followers.enough) return error("NOREPLICAS Not enough good replicas to write.");
    // A client that wrote during the pause waits, with everything that it sends after.
    if (this.paused) return LATER;
    this.feed(WRITE_BYTES, write);
    this.onWrite(write, this.head);
    return "OK";
  }

  #publish(command: readonly string[]): unknown {
    // PUBLISH goes into the replication stream, so it waits for the end of a pause as well (server.c, processCommand: CMD_MAY_REPLICATE).
    if (this.paused) return LATER;
    const count = this.publish(command[1] ?? "", command[2] ?? "");
    if (this.isMaster) this.feed(HELLO_BYTES);
    return count;
  }

  #replicaof(connection: Connection, command: readonly string[]): unknown {
    const [, host = "", port = ""] = command;
    if (host.toUpperCase() === "NO") {
      if (!this.isMaster) this.#promote(connection.name);
    } else {
      const known = this.following.master;
      if (known?.ip === host && known.port === Number(port)) return "OK Already connected to specified master";
      this.#told(`becomes a replica of ${host}`);
      // Who follows it stays connected until it has taken another history (replicationSetMaster, since redis 7.0).
      this.following.follow({ ip: host, port: Number(port) });
      this.following.begin();
    }
    return "OK";
  }

  /** shiftReplicationId: the former history stays valid up to here. */
  #promote(by: string): void {
    const { world } = this.proc;
    const deafMs = this.following.deafMs;
    this.following.forget();
    this.replid2 = this.replid;
    this.secondOffset = this.offset + 1;
    this.replid = world.random.hex(40);
    this.head = promoted(this.head, { server: this.name, at: world.now });
    this.onPromotion(this.head, by, deafMs);
    this.followers.drop();
    this.#told(`becomes a master at offset ${this.offset} with ${this.head.keys} keys`);
  }

  #told(what: string): void {
    this.proc.world.tell(this.name, what);
  }

  #client(connection: Connection, command: readonly string[]): unknown {
    const [, sub = "", first = ""] = command;
    switch (sub.toUpperCase()) {
      case "PAUSE": {
        const until = this.proc.wallMs + Number(first);
        this.pausedUntil = Math.max(this.paused ? this.pausedUntil : 0, until);
        this.#told(`pauses writes for ${first} ms`);
        this.proc.after(Number(first) + 1, () => {
          if (!this.paused) this.resume();
        });
        return "OK";
      }
      case "UNPAUSE":
        if (this.paused) this.#told("lets writes through again");
        this.pausedUntil = 0;
        this.resume();
        return "OK";
      case "KILL": {
        const type = command[3] ?? "";
        const killed = [...this.connections].filter((one) => one !== connection && one.type === type);
        for (const one of killed) this.close(one);
        return killed.length;
      }
      case "LIST":
        return [...this.connections].map(({ name }) => `id=1 name=${name}`).join("\n");
      default:
        return error(`ERR unknown subcommand '${sub}'`);
    }
  }

  #config(command: readonly string[]): unknown {
    const [, sub = "", ...rest] = command;
    if (sub.toUpperCase() === "GET") {
      return rest.flatMap((name) => {
        const value =
          name === "requirepass" ? (this.password ?? "") : name === "save" ? this.#savePoints : this.parameters.get(name);
        return value === undefined ? [] : [name, value];
      });
    }
    for (let at = 0; at + 1 < rest.length; at += 2) this.parameters.set(rest[at] ?? "", rest[at + 1] ?? "");
    this.followers.refresh();
    return "OK";
  }

  get #savePoints(): string {
    return this.disk.kind === "rdb" ? "3600 1" : "";
  }

  #role(): unknown {
    const { master } = this.following;
    if (master === undefined) return ["master", this.offset, []];
    return ["slave", master.ip, master.port, this.following.roleState, this.following.up ? this.offset : -1];
  }

  #info(): string {
    const { master } = this.following;
    const lines = [
      `run_id:${this.runId}`,
      `loading:${this.loading || this.following.loading ? 1 : 0}`,
      `aof_enabled:${this.disk.kind === "aof" ? 1 : 0}`,
      `role:${master === undefined ? "master" : "slave"}`,
    ];
    if (master !== undefined) {
      const { up, downSince, syncing } = this.following;
      lines.push(
        `master_host:${master.ip}`,
        `master_port:${master.port}`,
        `master_link_status:${up ? "up" : "down"}`,
        `master_sync_in_progress:${syncing ? 1 : 0}`,
        `slave_repl_offset:${this.following.offset}`,
        `slave_priority:${this.parameters.get("replica-priority") ?? "100"}`,
      );
      if (!up)
        lines.push(
          `master_link_down_since_seconds:${downSince === undefined ? -1 : Math.floor((this.proc.world.now - downSince) / 1000)}`,
        );
    }
    lines.push(...this.followers.infoLines());
    lines.push(
      `master_replid:${this.replid}`,
      `master_replid2:${this.replid2}`,
      `master_repl_offset:${this.offset}`,
      `second_repl_offset:${this.secondOffset}`,
    );
    if (this.head.keys > 0) lines.push(`db0:keys=${this.head.keys},expires=0,avg_ttl=0`);
    return lines.join("\r\n");
  }
}
