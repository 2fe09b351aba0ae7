/**
 * Virtual time and the simulated processes. One event at a time; each belongs to one process or to the world itself, and everything that follows from it in
 * promises has run before the next event begins. So the same seed gives the same story.
 */
import { Random } from "./random.ts";
import { immediately } from "./real.ts";

/** A machine: processes run on it, the network joins it to others. */
export interface Host {
  readonly name: string;
  /** added to virtual time to get the clock on its wall, ms */
  clockOffset: number;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly proc: Proc | undefined;
  run: (() => void) | undefined;
}

export interface Timer {
  cancel(): void;
}

/** The clock on the wall when virtual time is 0. */
const EPOCH_MS = Date.UTC(2026, 0, 1);

/** A process: dead it does nothing any more, frozen it does everything later. */
export class Proc {
  readonly name: string;
  readonly host: Host;
  readonly world: World;
  /** it uses promises: they are drained after each of its events */
  readonly promises: boolean;
  alive = true;
  silent = false;
  #frozen = false;
  readonly #held: (() => void)[] = [];
  readonly #onKill: (() => void)[] = [];

  constructor(world: World, name: string, host: Host, promises = false) {
    this.world = world;
    this.name = name;
    this.host = host;
    this.promises = promises;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** What its clock says, ms since 1970. */
  get wallMs(): number {
    return EPOCH_MS + this.world.now + this.host.clockOffset;
  }

  after(ms: number, run: () => void): Timer {
    return this.world.schedule(Math.max(0, ms), run, this);
  }

  every(ms: () => number, run: () => void): void {
    this.after(ms(), () => {
      run();
      this.every(ms, run);
    });
  }

  /** Runs now, or when it is thawed, or never. */
  hold(run: () => void): boolean {
    if (!this.#frozen) return false;
    this.#held.push(run);
    return true;
  }

  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    if (!this.#frozen) return;
    this.#frozen = false;
    for (const run of this.#held.splice(0)) this.world.schedule(0, run, this);
  }

  onKill(run: () => void): void {
    this.#onKill.push(run);
  }

  /** @param silent its machine lost its power: nobody is told */
  kill(silent = false): void {
    if (!this.alive) return;
    this.alive = false;
    this.silent = silent;
    this.#frozen = false;
    this.#held.length = 0;
    for (const run of this.#onKill.splice(0)) run();
  }
}

export class World {
  now = 0;
  /** whose event runs; what the replaced clock and timers belong to */
  current: Proc | undefined;
  readonly random: Random;
  readonly seed: number;
  readonly story: string[] = [];
  /** a mistake of the product that no invariant has to look for: an unhandled rejection, an exception */
  readonly crashes: string[] = [];
  #hash = 2166136261;
  #order = 0;
  #events = 0;
  readonly #heap: Event[] = [];
  readonly #tells: boolean;

  constructor(seed: number, tells = false) {
    this.seed = seed;
    this.random = new Random(seed, 1);
    this.#tells = tells;
  }

  get events(): number {
    return this.#events;
  }

  /** One number for everything that was told: equal stories, equal numbers. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  schedule(afterMs: number, run: () => void, proc?: Proc): Timer {
    const event: Event = { at: this.now + afterMs, order: ++this.#order, proc, run };
    push(this.#heap, event);
    return {
      cancel: () => {
        event.run = undefined;
      },
    };
  }

  /** A line of the story. */
  tell(who: string, what: string): void {
    const line = `${(this.now / 1000).toFixed(4).padStart(9)} ${who.padEnd(16)} ${what}`;
    for (let at = 0; at < line.length; at += 1) this.#hash = Math.imul(this.#hash ^ line.charCodeAt(at), 16777619);
    if (this.#tells) this.story.push(line);
  }

  /** Runs until `untilMs`, or as soon as `enough` says so after an event. */
  async run(untilMs: number, enough: () => boolean = () => false): Promise<void> {
    for (let event = this.#heap[0]; event !== undefined && event.at <= untilMs; event = this.#heap[0]) {
      pop(this.#heap);
      this.now = Math.max(this.now, event.at);
      const { run, proc } = event;
      if (run === undefined || proc?.alive === false) continue;
      if (proc?.hold(run)) continue;
      this.#events += 1;
      this.current = proc;
      try {
        run();
      } catch (error) {
        if (proc?.promises !== true) throw error;
        this.crashes.push(`${proc.name}: ${String(error)}`);
      }
      if (proc?.promises === true) await new Promise<void>((resolve) => immediately(resolve));
      this.current = undefined;
      if (enough()) return;
    }
    this.now = Math.max(this.now, untilMs);
  }
}

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

function push(heap: Event[], event: Event): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Event;
    if (!before(event, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child += 1;
    const below = heap[child] as Event;
    if (!before(below, last)) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = last;
}
