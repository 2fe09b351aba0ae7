/** Carries out a plan: what is urgent one after the other, the rest side by side, and what only the API server takes part in behind everybody's back. */
import type { GroupFacts } from "../../model/facts.ts";
import type { Action, Memory } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { act } from "../act/act.ts";
import { type ActContext, messageOf } from "../act/context.ts";
import type { Timeline } from "../act/timeline.ts";
import type { GroupLinks } from "../observe/group-links.ts";
import type { GroupOptions } from "./source.ts";
import type { GroupVoice } from "./voice.ts";

type Kinds = ReadonlySet<Action["kind"]>;
/** Done one after the other, before everything else. */
const URGENT: Kinds = new Set<Action["kind"]>([
  "route",
  "claim",
  "promote",
  "sentinel-failover",
  "handover",
  "fence",
  "copy",
  "adopt",
  "release",
]);
const UNHURRIED: Kinds = new Set<Action["kind"]>(["mark-pod", "mark-service", "give-slot"]);
/** What these change is read from Redis and Sentinel. `route` and `claim` change the Service: its watch wakes the loop, and before that it would act again. */
const CHANGES_MASTER: Kinds = new Set<Action["kind"]>(["promote", "handover", "fence", "adopt", "release", "monitor", "attach"]);
/** These hold writes back while they run. */
const PAUSES: Kinds = new Set<Action["kind"]>(["handover", "adopt", "release"]);

/** After a refused or failed promotion or handover the next try waits, ms. */
const RETRY_MS = { promote: 150, handover: 1000 } as const;

export interface CarriedOut {
  /** the facts have changed by it: look again at once */
  readonly again: boolean;
  /** what the memory is to keep of failures */
  readonly memory: Partial<Memory>;
}

export class CarryOut {
  readonly #options: GroupOptions;
  readonly #links: GroupLinks;
  readonly #voice: GroupVoice;
  readonly #recordTimeline: (timeline: Timeline) => void;
  readonly #inFlight = new Set<string>();

  constructor(parts: {
    options: GroupOptions;
    links: GroupLinks;
    voice: GroupVoice;
    recordTimeline: (timeline: Timeline) => void;
  }) {
    this.#options = parts.options;
    this.#links = parts.links;
    this.#voice = parts.voice;
    this.#recordTimeline = parts.recordTimeline;
  }

  async run(actions: readonly Action[], facts: GroupFacts): Promise<CarriedOut> {
    const context = this.#context(facts);
    const urgent = actions.filter(({ kind }) => URGENT.has(kind));
    const done: boolean[] = [];
    for (const action of urgent) done.push(await this.#one(context, action));
    // A request that could not be fulfilled stays on the Service and is tried again.
    const unfulfilled = urgent.some(({ kind }, at) => kind === "promote" && done[at] !== true);
    const rest = actions.filter(({ kind }) => !URGENT.has(kind) && !(unfulfilled && kind === "mark-service"));
    for (const action of rest) if (UNHURRIED.has(action.kind)) this.#later(context, action);
    const others = rest.filter(({ kind }) => !UNHURRIED.has(kind));
    done.push(...(await Promise.all(others.map((action) => this.#one(context, action)))));
    const now = Date.now();
    const failed = (kinds: (kind: Action["kind"]) => boolean): boolean =>
      urgent.some(({ kind }, at) => done[at] !== true && kinds(kind));
    return {
      // What failed would only fail again.
      again: [...urgent, ...others].some(({ kind }, at) => done[at] === true && CHANGES_MASTER.has(kind)),
      memory: {
        ...(failed((kind) => kind === "promote") ? { promoteNotBefore: now + RETRY_MS.promote } : {}),
        ...(failed((kind) => PAUSES.has(kind)) ? { handoverNotBefore: now + RETRY_MS.handover } : {}),
      },
    };
  }

  /** Writes that only the API server takes part in: one at a time for each object, and never waited for. A hanging API server must not delay a failover. */
  #later(context: ActContext, action: Action): void {
    const key = "pod" in action && action.pod !== undefined ? `${action.kind} ${action.pod.uid}` : action.kind;
    if (this.#inFlight.has(key)) return;
    this.#inFlight.add(key);
    context.background(this.#one(context, action).finally(() => this.#inFlight.delete(key)));
  }

  /** Whether it was done. */
  async #one(context: ActContext, action: Action): Promise<boolean> {
    const { metrics, log, group } = this.#options;
    const result = await act(context, action);
    metrics.acts.inc({ kind: action.kind, result: result.outcome });
    if (result.outcome === "done") return true;
    const level = result.outcome === "failed" ? "warn" : "info";
    log[level]({ ...group, action: action.kind, outcome: result.outcome, reason: REASON.ActFailed }, result.why);
    return false;
  }

  #context(facts: GroupFacts): ActContext {
    const { kube, group, source, log } = this.#options;
    return {
      kube,
      group,
      links: this.#links,
      log,
      endpoints: source.endpoints,
      facts,
      leading: () => source.leading(),
      say: (reason, message, fields) => this.#voice.say(reason, message, fields),
      recordTimeline: this.#recordTimeline,
      background: (work) => {
        work.catch((error: unknown) =>
          log.warn({ ...group, reason: REASON.ActFailed, err: messageOf(error) }, "background work of an act failed"),
        );
      },
    };
  }
}
