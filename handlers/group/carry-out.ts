/** Carries out a plan: what is urgent one after the other, the rest side by side, and what only the API server takes part in behind everybody's back. */
import type { GroupFacts } from "../../model/facts.ts";
import type { Action, Memory } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import type { Timeline } from "../../model/timeline.ts";
import { act } from "../act/act.ts";
import { type ActContext, type ActResult, messageOf } from "../act/context.ts";
import { keepTimeline } from "../act/timeline.ts";
import type { GroupLinks } from "../observe/group-links.ts";
import { nextTryAfterMs } from "../policies/attempts.ts";
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

/** These try to bring about a failover. */
const TRIES: Kinds = new Set<Action["kind"]>(["promote", "sentinel-failover"]);

/** After a refused promotion, and after a handover that was refused or failed, the next try waits, ms. */
const RETRY_MS = { refused: 150, handover: 1000 } as const;

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

  async run(actions: readonly Action[], facts: GroupFacts, before: Memory): Promise<CarriedOut> {
    const context = this.#context(facts);
    const urgent = actions.filter(({ kind }) => URGENT.has(kind));
    const outcomes: ActResult["outcome"][] = [];
    for (const action of urgent) outcomes.push(await this.#one(context, action));
    // A request that could not be fulfilled stays on the Service and is tried again.
    const unfulfilled = urgent.some(({ kind }, at) => kind === "promote" && outcomes[at] !== "done");
    const rest = actions.filter(({ kind }) => !URGENT.has(kind) && !(unfulfilled && kind === "mark-service"));
    for (const action of rest) if (UNHURRIED.has(action.kind)) this.#later(context, action);
    const others = rest.filter(({ kind }) => !UNHURRIED.has(kind));
    const memory = remember(urgent, outcomes, facts, before);
    outcomes.push(...(await Promise.all(others.map((action) => this.#one(context, action)))));
    // What failed would only fail again.
    const again = [...urgent, ...others].some(({ kind }, at) => outcomes[at] === "done" && CHANGES_MASTER.has(kind));
    return { again, memory };
  }

  /** Writes that only the API server takes part in: one at a time for each object, and never waited for. A hanging API server must not delay a failover. */
  #later(context: ActContext, action: Action): void {
    const key = "pod" in action && action.pod !== undefined ? `${action.kind} ${action.pod.uid}` : action.kind;
    if (this.#inFlight.has(key)) return;
    this.#inFlight.add(key);
    context.background(this.#one(context, action).finally(() => this.#inFlight.delete(key)));
  }

  async #one(context: ActContext, action: Action): Promise<ActResult["outcome"]> {
    const { metrics, log, group } = this.#options;
    const result = await act(context, action);
    metrics.acts.inc({ kind: action.kind, result: result.outcome });
    if (result.outcome === "done") return result.outcome;
    const level = result.outcome === "failed" ? "warn" : "info";
    log[level]({ ...group, action: action.kind, outcome: result.outcome, reason: REASON.ActFailed }, result.why);
    return result.outcome;
  }

  #context(facts: GroupFacts): ActContext {
    const { kube, group, source, log } = this.#options;
    const background = (work: Promise<unknown>): void => {
      work.catch((error: unknown) =>
        log.warn({ ...group, reason: REASON.ActFailed, err: messageOf(error) }, "background work of an act failed"),
      );
    };
    return {
      kube,
      group,
      links: this.#links,
      log,
      endpoints: source.endpoints,
      facts,
      leading: () => source.leading(),
      say: (reason, message, fields) => this.#voice.say(reason, message, fields),
      learnService: (service) => source.learnService(service),
      recordTimeline: (timeline) => {
        this.#recordTimeline(timeline);
        background(keepTimeline(kube, group, source.masterServiceName(), timeline));
      },
      background,
    };
  }
}

/** What is kept of acts that did not succeed, and of each try of a failover: `decide` forgets it when there is a master. */
function remember(
  urgent: readonly Action[],
  outcomes: readonly ActResult["outcome"][],
  facts: GroupFacts,
  before: Memory,
): Partial<Memory> {
  const now = Date.now();
  let memory: Partial<Memory> = {};
  for (const [at, { kind }] of urgent.entries()) {
    const outcome = outcomes[at];
    if (PAUSES.has(kind) && outcome !== "done") memory = { ...memory, handoverNotBefore: now + RETRY_MS.handover };
    if (!TRIES.has(kind)) continue;
    // Refused: somebody else is at it, which is no failure. A request for a failover that was taken says nothing yet.
    if (outcome === "refused") memory = { ...memory, promoteNotBefore: now + RETRY_MS.refused };
    else if (outcome === "failed" || kind === "sentinel-failover") {
      const promotionsTried = before.promotionsTried + 1;
      memory = { ...memory, promotionsTried, promoteNotBefore: now + nextTryAfterMs(promotionsTried, facts.settings) };
    }
  }
  return memory;
}
