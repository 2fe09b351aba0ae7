/**
 * INV2: which acknowledged writes are gone, and whether asynchronous replication makes that unavoidable. Unavoidable is only what a server had acknowledged
 * that then died, froze or was cut off, and that no healthy server had when the one that replaced it became a master.
 */
import { type Entry, writesOf } from "./servers/data.ts";
import type { RedisServer } from "./servers/redis.ts";

export interface Trouble {
  /** parted: cut off together with a replica. ended: let go in an orderly way, which excuses nothing where only planned work went on. slow: still there for everybody; no excuse for a loss, but neither a place where the newest data must be */
  readonly kind: "died" | "ended" | "frozen" | "cut off" | "parted" | "slow";
  readonly from: number;
  to: number;
}

/** A promotion, and who had what at that moment. */
interface Moment {
  readonly at: number;
  readonly by: RedisServer;
  /** it chose by INFO replies that may be seconds old: what another replica had then is no reproach */
  readonly bySentinel: boolean;
  readonly entry: Entry;
  readonly others: readonly { readonly server: RedisServer; readonly head: Entry; readonly healthy: boolean }[];
}

interface Taken {
  readonly server: RedisServer;
  readonly entry: Entry;
  readonly at: number;
}

/** So long a server that was frozen or cut off may go on taking writes afterwards, until it is demoted, ms: by Sentinel alone, and where handlers lead. */
const FENCE_MS = { sentinel: 15_000, handlers: 4000 };
/** A master that is cut off looks once a second whether min-replicas-max-lag has passed, and its replicas reported up to a second before the cut, ms. */
const COUNTED_LATE_MS = 3000;
/** Handlers that were away need so long to be of use again: the Lease has to expire, be taken, and all be read, ms. */
const LEASE_MS = 6000;

/** What was kept on a connection is sent again up to so long after a path has healed (world/network.ts), ms. */
const SLOW_AFTER_MS = 3500;

export class Ledger {
  readonly servers: RedisServer[] = [];
  /** for laws.ts */
  onPromotion: (server: RedisServer, by: string, deafMs: number) => void = () => undefined;
  readonly #startedAt = new Map<RedisServer, number>();
  readonly #troubles = new Map<RedisServer, Trouble[]>();
  readonly #taken = new Map<string, Taken>();
  readonly #moments: Moment[] = [];
  readonly #away: { readonly from: number; to: number }[] = [];
  readonly #now: () => number;
  readonly #maxLagMs: number | undefined;

  /** @param maxLagMs min-replicas-max-lag where min-replicas-to-write is 1 */
  constructor(now: () => number, maxLagMs: number | undefined) {
    this.#now = now;
    this.#maxLagMs = maxLagMs;
  }

  add(server: RedisServer): void {
    this.servers.push(server);
    const { world } = server.proc;
    this.#startedAt.set(server, world.now);
    server.onWrite = (write, entry) => this.#taken.set(write, { server, entry, at: world.now });
    server.onPromotion = (entry, by, deafMs) => {
      this.onPromotion(server, by, deafMs);
      const others = this.servers.filter((one) => one !== server && one.proc.alive);
      this.#moments.push({
        at: world.now,
        by: server,
        bySentinel: by === "sentinel",
        entry,
        others: others.map((one) => ({ server: one, head: one.head, healthy: !this.#inTrouble(one, world.now) && !one.loading })),
      });
    };
  }

  trouble(server: RedisServer, kind: Trouble["kind"]): Trouble {
    const trouble: Trouble = { kind, from: server.proc.world.now, to: Number.POSITIVE_INFINITY };
    this.#troubles.set(server, [...(this.#troubles.get(server) ?? []), trouble]);
    return trouble;
  }

  /** The last master's own pod is master again, with what had reached its disk: docs/promise.md, "all pods at once". */
  #sameDisk(promoted: RedisServer, server: RedisServer, at: number): boolean {
    return promoted.disk === server.disk && promoted.disk.kind === "aof" && (this.#startedAt.get(promoted) ?? 0) > at;
  }

  /** A server that was started anew after the write is not weighed against one that was there all the time: it is the dead one itself, come back. */
  #comparable(holder: RedisServer, promoted: RedisServer, at: number): boolean {
    const started = (server: RedisServer): number => this.#startedAt.get(server) ?? 0;
    return started(holder) < at || started(promoted) > at;
  }

  /** No handler could lead from now until the returned is called. */
  handlersAway(): () => void {
    const away = { from: this.#now(), to: Number.POSITIVE_INFINITY };
    this.#away.push(away);
    return () => {
      away.to = this.#now();
    };
  }

  /** How long after the end of a trouble a server may still take writes. */
  #fenceMs(endOfTrouble: number): number {
    const away = this.#away.some(({ from, to }) => from <= endOfTrouble + FENCE_MS.handlers && to + LEASE_MS >= endOfTrouble);
    return away ? FENCE_MS.sentinel : FENCE_MS.handlers;
  }

  #excuses({ kind, from, to }: Trouble, at: number, until: number): boolean {
    if (from > Math.max(until, at) + 1000 || kind === "slow" || kind === "ended") return false;
    if (kind === "died") return from >= at;
    const stopsAfterMs = (this.#maxLagMs ?? Number.POSITIVE_INFINITY) + COUNTED_LATE_MS;
    if (kind === "cut off" && at > from + stopsAfterMs && at < to) return false;
    return to + this.#fenceMs(to) >= at;
  }

  #inTrouble(server: RedisServer, at: number): boolean {
    return (this.#troubles.get(server) ?? []).some(
      ({ kind, from, to }) => from <= at && at <= to + (kind === "slow" ? SLOW_AFTER_MS : 1000),
    );
  }

  /** What was lost although it need not have been, in words; and how much was lost in all. */
  judge(acknowledged: ReadonlyMap<string, number>, final: Entry): { lost: number; wrong: string[] } {
    const present = writesOf(final);
    const line = new Set<Entry>();
    for (let at: Entry | undefined = final; at !== undefined; at = at.before) line.add(at);
    const wrong: string[] = [];
    let lost = 0;
    for (const [write, at] of acknowledged) {
      if (present.has(write)) continue;
      lost += 1;
      const taken = this.#taken.get(write);
      if (taken === undefined) throw new Error(`${write} was acknowledged by nobody`);
      const why = this.#whyWrong(taken, line);
      if (why !== undefined)
        wrong.push(`${write}, acknowledged by ${taken.server.name} at ${(at / 1000).toFixed(3)} s, is gone: ${why}`);
    }
    return { lost, wrong };
  }

  #whyWrong({ server, entry, at }: Taken, line: ReadonlySet<Entry>): string | undefined {
    // The first promotion on the line that won, after that line had left this write's.
    let common: Entry | undefined = entry;
    const own = new Set<Entry>();
    for (let one: Entry | undefined = entry; one !== undefined; one = one.before) own.add(one);
    while (common !== undefined && !line.has(common)) common = common.before;
    const turn = this.#moments.find((one) => line.has(one.entry) && !own.has(one.entry) && has(one.entry, common));
    const until = turn?.at ?? Number.POSITIVE_INFINITY;
    const trouble = (this.#troubles.get(server) ?? []).find((one) => this.#excuses(one, at, until));
    if (trouble === undefined) {
      const by = turn === undefined ? "nobody was promoted" : `${turn.by.name} was promoted at ${(turn.at / 1000).toFixed(3)} s`;
      return `nothing had happened to its server that excuses it (${by})`;
    }
    const holder =
      turn !== undefined && turn.at > at && !turn.bySentinel && !this.#sameDisk(turn.by, server, at)
        ? turn.others.find((one) => one.healthy && this.#comparable(one.server, turn.by, at) && has(one.head, entry))
        : undefined;
    if (holder !== undefined && turn !== undefined)
      return `${turn.by.name} was promoted at ${(turn.at / 1000).toFixed(3)} s without it, while ${holder.server.name} had it and was well`;
    return undefined;
  }
}

/** Whether a dataset holds an entry; undefined stands for the empty one. */
function has(head: Entry, entry: Entry | undefined): boolean {
  if (entry === undefined) return true;
  for (let at: Entry | undefined = head; at !== undefined; at = at.before) if (at === entry) return true;
  return false;
}
