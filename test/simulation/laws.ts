/** The handlers' own laws, looked at in the very moment in which one could be broken: a law that another one covers would cost no write for thousands of seeds. */
import { REASON } from "../../model/reasons.ts";
import type { SimGroup } from "./group.ts";
import { type Fault, isPlanned, type Plan } from "./plan.ts";
import type { RedisServer } from "./servers/redis.ts";

export interface Breach {
  /** LEASE, VOTES, HELD or PAUSE */
  readonly law: string;
  readonly why: string;
}

/** Votes are asked for in the moment before; a handler that stood still since leads no longer, ms. */
const VOTED_LATELY_MS = 8000;
/** A replica that has not heard from a master for so long is not in line any more (policies/successor.ts): it can only be recovered, and that needs no votes, ms. */
const IN_LINE_MS = 15_000;
/** A hand-over pauses for 10 s by the server's clock, preStop goes on pausing until its grace period ends (25 s), ms. */
const PAUSE_MS = 40_000;
const LOOK_MS = 500;
/** A hand-over is given up only after the pause was lifted, as often tried as it takes; on a slow network the last try is still under way, ms. */
const LIFTED_MS = 3000;
/** With these the command that lifts a pause may be kept from its server for longer. */
const IN_THE_WAY: ReadonlySet<Fault["kind"]> = new Set<Fault["kind"]>([
  "split",
  "cut off",
  "cut handlers off",
  "loss",
  "power off",
  "power off all",
]);

export class Laws {
  breach: Breach | undefined;
  readonly #group: SimGroup;
  readonly #planned: boolean;
  /** who voted for whom, and when */
  readonly #votes = new Map<string, Map<string, number>>();
  /** whom each handler paused last, and how often each server was */
  readonly #lastPaused = new Map<string, string>();
  readonly #pauses = new Map<string, number>();
  readonly #pausedSince = new Map<RedisServer, number>();

  constructor(group: SimGroup, plan: Plan) {
    this.#group = group;
    const all = [...(plan.early ?? []), ...plan.faults];
    this.#planned = all.every(isPlanned);
    this.#look();
    group.onVote = (sentinel, candidate) => this.#voted(sentinel, candidate);
    group.onEnding = (server) => this.#held(server);
    if (all.some(({ kind }) => IN_THE_WAY.has(kind))) return;
    for (const handler of group.handlers) {
      handler.onSaid = (reason) => {
        if (reason === REASON.HandoverAborted) this.#givenUp(handler.name);
      };
    }
  }

  /** A handler sends a command. `REPLICAOF NO ONE` and `CLIENT PAUSE` are never sent without a look at the Lease in the same moment. */
  sent(handler: string, command: readonly string[], to: string): void {
    const text = command.join(" ");
    if (text.startsWith("CLIENT PAUSE")) {
      this.#lastPaused.set(handler, to);
      this.#pauses.set(to, (this.#pauses.get(to) ?? 0) + 1);
    }
    if (!/^(REPLICAOF NO ONE|CLIENT PAUSE)/.test(text)) return;
    const holder = this.#group.holder ?? "nobody";
    if (!holder.startsWith(`${handler}-`)) this.#broken("LEASE", `${handler} sends ${text} while ${holder} holds the Lease`);
  }

  /** A server became a master. Told before the sentinels can have heard of it. */
  promoted(server: RedisServer, by: string, deafMs: number): void {
    if (by !== "redis-ha" || deafMs > IN_LINE_MS || server.following.syncing) return;
    const { sentinelPods, world, sentinels, record } = this.#group;
    // Of another history than the last master's: only `recover` takes it.
    if (record?.replid !== undefined && record.replid !== server.replid2) return;
    const watching = sentinelPods.filter(({ sentinel }) => sentinel?.proc.alive === true && sentinel.master !== undefined);
    if (watching.length === 0) return;
    const needed = Math.floor(sentinels / 2) + 1;
    const identities = new Set(sentinelPods.map(({ sentinel }) => sentinel?.myId));
    const most = Math.max(
      0,
      ...[...this.#votes]
        .filter(([candidate]) => !identities.has(candidate))
        .map(([, voters]) => [...voters.values()].filter((at) => world.now - at <= VOTED_LATELY_MS).length),
    );
    if (most < needed)
      this.#broken("VOTES", `${server.name} was promoted by the handlers with ${most} votes, ${needed} are a majority`);
  }

  #voted(sentinel: string, candidate: string): void {
    const voters = this.#votes.get(candidate) ?? new Map<string, number>();
    voters.set(sentinel, this.#group.world.now);
    this.#votes.set(candidate, voters);
  }

  /** Where nothing but planned work goes on, no process ends while clients could write to it. */
  #held(server: RedisServer): void {
    if (!this.#planned || !server.writable) return;
    if (this.#group.running.length > 1) this.#broken("HELD", `${server.name} was let end while it was the master`);
  }

  /** Writes go on as before, as it says. */
  #givenUp(handler: string): void {
    const { world } = this.#group;
    const ip = this.#lastPaused.get(handler) ?? "";
    const pauses = this.#pauses.get(ip);
    world.schedule(LIFTED_MS, () => {
      const server = this.#group.running.find(({ site }) => site.ip === ip);
      if (server === undefined || !server.paused || server.proc.frozen || this.#pauses.get(ip) !== pauses) return;
      this.#broken("PAUSE", `${handler} gave a hand-over up, and ${server.name} is still paused`);
    });
  }

  /** No server is paused for longer than any step may take. */
  #look(): void {
    const { world, running } = this.#group;
    for (const server of running) {
      if (!server.paused || server.proc.frozen) this.#pausedSince.delete(server);
      else if (!this.#pausedSince.has(server)) this.#pausedSince.set(server, world.now);
      const since = this.#pausedSince.get(server);
      if (since !== undefined && world.now - since > PAUSE_MS)
        this.#broken("PAUSE", `${server.name} has been paused for ${Math.round((world.now - since) / 1000)} s`);
    }
    world.schedule(LOOK_MS, () => this.#look());
  }

  #broken(law: string, why: string): void {
    this.breach ??= { law, why };
  }
}
