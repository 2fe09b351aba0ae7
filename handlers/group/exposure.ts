/** Keeps the type of the master Service as the annotation `expose` says: looked at in every round, never waited for. */
import type { ServiceFact } from "../../model/facts.ts";
import { REASON } from "../../model/reasons.ts";
import type { GroupSettings } from "../../model/settings.ts";
import { messageOf } from "../act/context.ts";
import { applyExpose } from "../act/expose.ts";
import { planExpose } from "../policies/expose.ts";
import type { GroupOptions } from "./source.ts";
import type { GroupVoice } from "./voice.ts";

/** After a failure, and until the watch has told of our own act, nothing is tried for so long, ms. */
const AGAIN_MS = { done: 2000, failed: 60_000 } as const;

export class GroupExposure {
  readonly #options: GroupOptions;
  readonly #voice: GroupVoice;
  #notBefore = 0;
  /** the last thing that was wrong, so that people are told once */
  #complaint: string | undefined;

  constructor(options: GroupOptions, voice: GroupVoice) {
    this.#options = options;
    this.#voice = voice;
  }

  /** Only the replica that leads acts. */
  keep(settings: GroupSettings, service: ServiceFact | undefined): void {
    const { kube, group, source } = this.#options;
    const now = Date.now();
    if (service === undefined || now < this.#notBefore || !source.leading()) return;
    const plan = planExpose(service, settings);
    if (plan.act === "nothing") {
      this.#complaint = undefined;
      return;
    }
    this.#notBefore = now + AGAIN_MS.failed;
    applyExpose(kube, group, service, plan).then(
      (said) => {
        this.#notBefore = Date.now() + AGAIN_MS.done;
        this.#voice.say(REASON.ServiceTypeChanged, said);
      },
      (error: unknown) => this.#failed(service.name, messageOf(error)),
    );
  }

  /** A quota, or no node port left: people wait for an address, so they are told. */
  #failed(name: string, why: string): void {
    if (this.#complaint !== why)
      this.#voice.say(
        REASON.ServiceTypeRefused,
        `the type of Service ${name} could not be changed; tried again every minute: ${why}`,
      );
    this.#complaint = why;
  }
}
