/** Threads that simulate, each with the product loaded once (and changed, where a mutant is tried). */
import { Worker } from "node:worker_threads";
import type { Plan, Verdict } from "./thread.ts";
import type { Change } from "./world/hooks.ts";

export interface Order {
  readonly id: number;
  /** a seed, or a whole plan */
  readonly plan: number | Plan;
  readonly tells: boolean;
}

export type Answer = { readonly id: number } & ({ readonly verdict: Verdict } | { readonly error: string });

interface Hand {
  readonly worker: Worker;
  busy: boolean;
}

export class Crew {
  readonly #hands: Hand[];
  readonly #waiting: (() => void)[] = [];
  readonly #open = new Map<number, { resolve: (verdict: Verdict) => void; reject: (error: Error) => void; hand: Hand }>();
  #last = 0;

  constructor(jobs: number, changes: readonly Change[] = []) {
    this.#hands = Array.from({ length: jobs }, () => {
      const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: changes });
      const hand = { worker, busy: false };
      worker.on("message", (answer: Answer) => this.#answered(answer));
      worker.on("error", (error) => this.#broke(hand, error instanceof Error ? error : new Error(String(error))));
      return hand;
    });
  }

  async run(plan: number | Plan, tells: boolean): Promise<Verdict> {
    let hand = this.#hands.find(({ busy }) => !busy);
    while (hand === undefined) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      hand = this.#hands.find(({ busy }) => !busy);
    }
    hand.busy = true;
    const taken = hand;
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject, hand: taken });
      taken.worker.postMessage({ id, plan, tells } satisfies Order);
    });
  }

  async end(): Promise<void> {
    await Promise.all(this.#hands.map(({ worker }) => worker.terminate()));
  }

  #answered(answer: Answer): void {
    const open = this.#open.get(answer.id);
    if (open === undefined) return;
    this.#open.delete(answer.id);
    open.hand.busy = false;
    this.#waiting.shift()?.();
    if ("verdict" in answer) open.resolve(answer.verdict);
    else open.reject(new Error(answer.error));
  }

  #broke(hand: Hand, error: Error): void {
    for (const [id, open] of this.#open) {
      if (open.hand !== hand) continue;
      this.#open.delete(id);
      open.reject(error);
    }
  }
}
