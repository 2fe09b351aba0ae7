/**
 * The network: connections between processes by address, in order within one connection and in any order between two. A path that is cut swallows
 * connection attempts, and keeps what was sent on a connection until it heals, as TCP's retransmission does.
 */
import { Random } from "./random.ts";
import type { Host, Proc, World } from "./world.ts";

export type Refusal = "refused" | "reset";

/** One side of a connection. */
export class End {
  readonly proc: Proc;
  readonly network: Network;
  peer: End | undefined;
  closed = false;
  /** the connection was reset: what was on its way is not read any more */
  deaf = false;
  onMessage: (message: unknown) => void = () => undefined;
  onClose: () => void = () => undefined;
  /** nothing sent later arrives earlier */
  arrival = 0;
  stalled = 0;

  constructor(network: Network, proc: Proc) {
    this.network = network;
    this.proc = proc;
    proc.onKill(() => (proc.silent ? this.vanish() : this.die()));
  }

  /** Its process died: with input that it had not read its kernel sends a reset, and what was under way to the other side is thrown away there. */
  die(): void {
    if (!this.closed && this.peer !== undefined && this.network.resets()) this.peer.deaf = true;
    this.close();
  }

  send(message: unknown): void {
    if (!this.closed) this.network.carry(this, () => this.peer?.receive(message));
  }

  /** Closes both sides; the other one hears of it when the network lets it. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.network.carry(this, () => this.peer?.ended());
  }

  /** Both sides are gone without a word, as when a machine loses its power: the other side is not told. */
  vanish(): void {
    this.closed = true;
  }

  receive(message: unknown): void {
    if (!this.closed && !this.deaf) this.onMessage(message);
  }

  ended(): void {
    if (this.closed) return;
    this.closed = true;
    this.onClose();
  }
}

/** What has an address: a pod's network. */
export interface Site {
  readonly ip: string;
  readonly host: Host;
  readonly listeners: Map<number, { readonly proc: Proc; readonly accept: (end: End) => void }>;
}

interface Path {
  cut: boolean;
  delayMs: number;
}

interface Stalled {
  readonly end: End;
  readonly deliver: () => void;
  readonly since: number;
}

/** A retransmission is due up to so long after a path has healed, ms (the pause doubles each time). */
const RETRANSMIT_MS = 3000;

/** So many of the connections of a process that dies are reset. */
const RESET = 0.5;

/** A connection attempt that nobody answers is repeated by the kernel after so long, ms (then after 16 s and more, which nobody waits for). */
const SYN_AGAIN_MS = [1000, 2000, 4000, 8000];

export class Network {
  readonly world: World;
  readonly sites = new Map<string, Site>();
  /** a message is lost, and sent again after TCP's first pause, with this probability */
  loss = 0;
  readonly #paths = new Map<string, Path>();
  #stalled: Stalled[] = [];
  readonly #random: Random;
  /** of its own, so that a seed's story is the same up to the first reset that matters */
  readonly #fate: Random;

  constructor(world: World) {
    this.world = world;
    this.#random = world.random;
    this.#fate = new Random(world.seed, 3);
  }

  resets(): boolean {
    return this.#fate.chance(RESET);
  }

  #path(from: Host, to: Host): Path {
    const key = `${from.name}>${to.name}`;
    let path = this.#paths.get(key);
    if (path === undefined) {
      path = { cut: false, delayMs: 0 };
      this.#paths.set(key, path);
    }
    return path;
  }

  blocked(from: Host, to: Host): boolean {
    return from !== to && this.#path(from, to).cut;
  }

  latency(from: Host, to: Host): number {
    const base = from === to ? 0.05 : 0.1 + this.#random.next() * 0.6;
    const lost = this.loss > 0 && from !== to && this.#random.chance(this.loss) ? 200 + this.#random.next() * 20 : 0;
    return base + lost + (from === to ? 0 : this.#path(from, to).delayMs * (0.7 + 0.6 * this.#random.next()));
  }

  cut(from: Host, to: Host): void {
    this.#path(from, to).cut = true;
  }

  slow(from: Host, to: Host, delayMs: number): void {
    this.#path(from, to).delayMs = delayMs;
  }

  /** All paths as on the first day. */
  heal(): void {
    this.loss = 0;
    for (const path of this.#paths.values()) {
      path.cut = false;
      path.delayMs = 0;
    }
    this.#resume();
  }

  mend(from: Host, to: Host): void {
    const path = this.#path(from, to);
    path.cut = false;
    path.delayMs = 0;
    this.#resume();
  }

  #resume(): void {
    const waiting = this.#stalled;
    this.#stalled = [];
    const late = new Map<End, number>();
    for (const one of waiting) {
      const { end } = one;
      if (end.peer === undefined || this.blocked(end.proc.host, end.peer.proc.host)) {
        this.#stalled.push(one);
        continue;
      }
      end.stalled -= 1;
      let at = late.get(end);
      if (at === undefined) {
        at = this.#random.next() * Math.min(RETRANSMIT_MS, this.world.now - one.since);
        late.set(end, at);
      }
      this.#deliver(end, at, one.deliver);
    }
  }

  /** From one end to the other. */
  carry(end: End, deliver: () => void): void {
    const to = end.peer;
    if (to === undefined) return;
    if (end.stalled > 0 || this.blocked(end.proc.host, to.proc.host)) {
      end.stalled += 1;
      this.#stalled.push({ end, deliver, since: this.world.now });
      return;
    }
    this.#deliver(end, this.latency(end.proc.host, to.proc.host), deliver);
  }

  #deliver(end: End, afterMs: number, deliver: () => void): void {
    const at = Math.max(this.world.now + afterMs, end.arrival);
    end.arrival = at;
    this.world.schedule(at - this.world.now, deliver, end.peer?.proc);
  }

  /**
   * Connects. `onEnd` gets the connection, or why there is none; nothing at all when nobody answers: the caller has its own patience.
   * A frozen process' kernel accepts all the same.
   */
  dial(proc: Proc, ip: string, port: number, onEnd: (end: End | Refusal) => void, attempt = 0): void {
    const { world } = this;
    const site = this.sites.get(ip);
    const again = (): void => {
      const wait = SYN_AGAIN_MS[attempt];
      if (wait !== undefined) world.schedule(wait, () => this.dial(proc, ip, port, onEnd, attempt + 1), proc);
    };
    if (site === undefined || this.blocked(proc.host, site.host) || this.blocked(site.host, proc.host)) {
      again();
      return;
    }
    const there = this.latency(proc.host, site.host);
    world.schedule(there, () => {
      if (this.sites.get(ip) !== site || this.blocked(proc.host, site.host) || this.blocked(site.host, proc.host)) return again();
      const back = this.latency(site.host, proc.host);
      const listener = site.listeners.get(port);
      if (listener === undefined || !listener.proc.alive) {
        world.schedule(back, () => onEnd("refused"), proc);
        return;
      }
      const near = new End(this, proc);
      const far = new End(this, listener.proc);
      near.peer = far;
      far.peer = near;
      if (!proc.alive) return;
      world.schedule(0, () => listener.accept(far), listener.proc);
      world.schedule(back, () => onEnd(near), proc);
    });
  }
}
