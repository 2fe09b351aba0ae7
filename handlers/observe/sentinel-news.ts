/** The two things that are taken from Sentinel's messages: an address that is being promoted, and the highest epoch spoken of (docs/architecture.md, "The loop of a group"). */
import type { PromotionHint } from "../../model/facts.ts";
import { candidateOf, epochOf, type SentinelEvent } from "./sentinel-events.ts";

/** A hint that nothing came of is forgotten after this time, ms. */
const HINT_MS = 3000;

export class SentinelNews {
  readonly #masterName: string;
  #hint: { address: PromotionHint["address"]; at: number } | undefined;
  #epoch = 0;

  constructor(masterName: string) {
    this.#masterName = masterName;
  }

  heard(event: SentinelEvent): void {
    this.#epoch = Math.max(this.#epoch, epochOf(event) ?? 0);
    if (event.channel === "+failover-state-wait-promotion") {
      const candidate = candidateOf(event.message);
      if (candidate?.name === this.#masterName) this.#hint = { address: candidate.address, at: Date.now() };
    }
    if (event.channel === "+switch-master" || event.channel.startsWith("-failover-abort")) this.#hint = undefined;
  }

  /** @param at now, ms since 1970 */
  hint(at: number): PromotionHint | undefined {
    if (this.#hint !== undefined && at - this.#hint.at > HINT_MS) this.#hint = undefined;
    return this.#hint === undefined ? undefined : { address: this.#hint.address, ageMs: at - this.#hint.at };
  }

  get epochHeard(): number {
    return this.#epoch;
  }

  forgetEpoch(): void {
    this.#epoch = 0;
  }
}
