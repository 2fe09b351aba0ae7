/** The shape of a policy: a pure function from what is known to what it wants, with a reason. */
import type { GroupFacts } from "../../model/facts.ts";
import type { Action, Memory, Notice, Plan } from "../../model/plan.ts";
import type { Truth } from "./truth.ts";

export interface Context {
  readonly facts: GroupFacts;
  readonly truth: Truth;
  readonly memory: Memory;
}

export interface Step {
  readonly actions: readonly Action[];
  readonly notices?: readonly Notice[];
  /** the state of the group, if this policy is the one to tell; the first that tells wins */
  readonly state?: Plan["state"];
  /** true: later policies that change Redis or Sentinel do not run in this round, the facts will have changed */
  readonly stop?: boolean;
  readonly memory?: Partial<Memory>;
}

export type Policy = (context: Context) => Step;

export const NOTHING: Step = { actions: [] };
