/** The faults of the network: who can't reach whom, and how late. */
import type { SimPod } from "./cluster/pod.ts";
import type { SimGroup } from "./group.ts";
import type { Apart } from "./plan.ts";
import type { RedisServer } from "./servers/redis.ts";
import type { Trouble } from "./verdict.ts";
import type { Host } from "./world/world.ts";

/** The hosts beside a pod's. */
export type Others = "all" | "pods" | "handlers" | "api";
export type Way = "both" | "in" | "out";

type Pair = readonly [Host, Host];

export class Partitions {
  readonly #group: SimGroup;
  /** keeps what undoes a fault, and does it in time */
  readonly #lasts: (ms: number, undo: () => void) => void;

  constructor(group: SimGroup, lasts: (ms: number, undo: () => void) => void) {
    this.#group = group;
    this.#lasts = lasts;
  }

  hosts(of: Others): Host[] {
    const { nodes, handlers, control, all, proxies } = this.#group;
    if (of === "api") return [control];
    if (of === "handlers") return handlers.map(({ host }) => host);
    if (of === "pods") return all.map(({ host }) => host);
    return [...new Set([...nodes, ...handlers.map(({ host }) => host), control, ...proxies.map(({ host }) => host)])];
  }

  /** Marks redis processes for the verdict about data; returns what ends it. */
  troubles(servers: readonly RedisServer[], kind: Trouble["kind"]): () => void {
    const begun = servers.map((server) => this.#group.ledger.trouble(server, kind));
    return () => {
      for (const trouble of begun) trouble.to = this.#group.world.now;
    };
  }

  /** These reach each other and nobody else. A master that has a replica on its side goes on for as long as that: min-replicas-to-write is 1. */
  severed(servers: readonly RedisServer[]): () => void {
    return this.troubles(servers, servers.length > 1 ? "parted" : "cut off");
  }

  on(host: Host): RedisServer[] {
    return this.#group.running.filter(({ proc }) => proc.host === host);
  }

  cutOff(host: Host, others: readonly Host[], way: Way, ms: number, from: Others): void {
    const end = from === "handlers" || from === "api" ? () => undefined : this.severed(this.on(host));
    const pairs = others
      .filter((other) => other !== host)
      .flatMap((other): Pair[] => [
        ...(way === "in" ? [] : [[host, other] as const]),
        ...(way === "out" ? [] : [[other, host] as const]),
      ]);
    this.#cut(pairs, ms, end);
  }

  /** Two parts. One without a majority of the sentinels is in trouble: the other one may elect another master. */
  split(pods: readonly SimPod[], apart: readonly Apart[], ms: number): void {
    const { handlers, leader, control, proxies } = this.#group;
    const host = {
      leader: (leader ?? handlers[0])?.host,
      follower: handlers.find((one) => one !== leader)?.host,
      api: control,
      client: proxies.at(-1)?.host,
    } satisfies Record<Apart, Host | undefined>;
    const here = new Set([...pods.map((pod) => pod.host), ...apart.flatMap((one) => host[one] ?? [])]);
    const there = this.hosts("all").filter((one) => !here.has(one));
    const { running, sentinelPods } = this.#group;
    const ends = [true, false].map((inside) => {
      const servers = running.filter(({ proc }) => here.has(proc.host) === inside);
      const voters = sentinelPods.filter((pod) => here.has(pod.host) === inside).length;
      // Nobody is reached by everybody: whoever promotes need not know what the other part has.
      if (voters * 2 > sentinelPods.length) return this.troubles(servers, "slow");
      return this.severed(servers);
    });
    const pairs = [...here].flatMap((one) => there.flatMap((other): Pair[] => [[one, other] as const, [other, one] as const]));
    this.#cut(pairs, ms, () => {
      for (const end of ends) end();
    });
  }

  #cut(pairs: readonly Pair[], ms: number, end: () => void): void {
    const { network } = this.#group;
    for (const [from, to] of pairs) network.cut(from, to);
    this.#lasts(ms, () => {
      for (const [from, to] of pairs) network.mend(from, to);
      end();
    });
  }

  /** Everything to and from a host is late. */
  slow(host: Host, delayMs: number, ms: number): void {
    const end = this.troubles(this.on(host), "slow");
    const pairs = this.hosts("all").flatMap((other): Pair[] => [[host, other] as const, [other, host] as const]);
    this.#late(pairs, delayMs, ms, end);
  }

  /** What the master sends to one replica is late: that one is behind, and everything else is as always. */
  lag(to: SimPod, delayMs: number, ms: number): void {
    const from = this.#group.master?.host;
    if (from === undefined || from === to.host) return;
    // Whoever asks from there hears the master's host late as well: what else runs on it may be silent to him.
    const end = this.troubles([...this.on(from), ...(to.redis === undefined ? [] : [to.redis])], "slow");
    this.#late([[from, to.host]], delayMs, ms, end);
  }

  #late(pairs: readonly Pair[], delayMs: number, ms: number, end: () => void): void {
    const { network } = this.#group;
    for (const [from, to] of pairs) network.slow(from, to, delayMs);
    this.#lasts(ms, () => {
      for (const [from, to] of pairs) network.slow(from, to, 0);
      end();
    });
  }

  loss(part: number, ms: number): void {
    const { network } = this.#group;
    network.loss = part;
    this.#lasts(ms, () => {
      network.loss = 0;
    });
  }
}
