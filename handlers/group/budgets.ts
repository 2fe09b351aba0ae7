/** Keeps the PodDisruptionBudgets of a group: looked at in every round, acted on when a need has lasted, and never waited for. */
import type { ServiceFact } from "../../model/facts.ts";
import { REASON } from "../../model/reasons.ts";
import type { GroupSettings } from "../../model/settings.ts";
import { messageOf } from "../act/context.ts";
import { applyBudget, isBudgetSpec } from "../act/disruption-budget.ts";
import { type BudgetFacts, type BudgetPlan, planBudget } from "../policies/disruption-budget.ts";
import type { GroupOptions } from "./source.ts";
import type { GroupVoice } from "./voice.ts";

/** A need must have lasted so long, ms: a rollout of a single pod has two of them for a moment. */
const STEADY_MS = 5000;
/** After a failure, and until the watch has told of our own act, nothing is tried for so long, ms. */
const AGAIN_MS = { done: 2000, failed: 60_000 } as const;

interface Need {
  readonly what: string;
  readonly since: number;
}

export class GroupBudgets {
  readonly #options: GroupOptions;
  readonly #voice: GroupVoice;
  /** by the budget's name */
  readonly #needs = new Map<string, Need>();
  readonly #notBefore = new Map<string, number>();

  constructor(options: GroupOptions, voice: GroupVoice) {
    this.#options = options;
    this.#voice = voice;
  }

  /** Only the replica that leads acts; without a master Service, which owns the budgets, nothing is done. */
  keep(settings: GroupSettings, service: ServiceFact | undefined): void {
    const { source, group } = this.#options;
    if (!source.leading() || service === undefined) return;
    const now = Date.now();
    for (const facts of source.budgets()) {
      const plan = planBudget(facts, settings, isBudgetSpec(facts, group.cluster));
      if (this.#isDue(facts.name, plan, now)) this.#act(facts, plan, service);
    }
  }

  #isDue(name: string, plan: BudgetPlan, now: number): boolean {
    if (plan.act === "nothing") {
      this.#needs.delete(name);
      return false;
    }
    const need = this.#needs.get(name);
    const since = need?.what === plan.act ? need.since : now;
    this.#needs.set(name, { what: plan.act, since });
    const atOnce = plan.act === "repair" || (plan.act === "retire" && plan.atOnce);
    return now >= (this.#notBefore.get(name) ?? 0) && (atOnce || now - since >= STEADY_MS);
  }

  #act(facts: BudgetFacts, plan: BudgetPlan, service: ServiceFact): void {
    const { kube, group, log } = this.#options;
    this.#notBefore.set(facts.name, Date.now() + AGAIN_MS.failed);
    applyBudget(kube, group, facts, plan, service).then(
      (said) => {
        this.#notBefore.set(facts.name, Date.now() + AGAIN_MS.done);
        if (said !== undefined) this.#voice.say(REASON.DisruptionBudgetChanged, said);
      },
      (error: unknown) =>
        log.warn(
          { reason: REASON.ActFailed, ...group, budget: facts.name, err: messageOf(error) },
          "the group's PodDisruptionBudget could not be changed; tried again in a minute",
        ),
    );
  }
}
