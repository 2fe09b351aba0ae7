/**
 * Whether a group has a PodDisruptionBudget of ours, and what is to be done about it. Not one of the policies of decide(): it needs no redis, and nothing else
 * waits for it. Pure. Why so: docs/adr/0035.
 */
import type { GroupSettings } from "../../model/settings.ts";

/** The pods with a Redis; or those that are a sentinel and nothing else (role sentinel). */
export type BudgetPart = "redis" | "sentinels";

export interface BudgetFacts {
  readonly part: BudgetPart;
  /** what ours is called */
  readonly name: string;
  /** living pods of this part, not those that are being deleted */
  readonly pods: number;
  readonly ready: number;
  /** those among them that no Deployment or StatefulSet keeps */
  readonly unscaled: readonly string[];
  /** budgets of somebody else that select any of the pods */
  readonly theirs: readonly string[];
  /** somebody else's has our name */
  readonly taken: boolean;
  readonly ours:
    | {
        readonly resourceVersion: string;
        readonly spec: object;
        /** it selects nobody */
        readonly retired: boolean;
        /** how many pods their workloads want, as Kubernetes has counted them; undefined: not yet */
        readonly expected: number | undefined;
      }
    | undefined;
}

/** retire: it selects nobody any more. We have no right to delete, and one of ours that lies idle harms nobody. */
export type BudgetPlan =
  | { readonly act: "nothing" }
  | { readonly act: "make" | "repair"; readonly maxUnavailable: number }
  /** at once: as long as it waits, evictions are refused */
  | { readonly act: "retire"; readonly atOnce: boolean; readonly why: string };

/** With fewer there is nothing to spread a disruption over. */
const LEAST = 2;
/** One lost sentinel of three is no harm, two are: no failover. */
const SENTINELS_AT_A_TIME = 1;

/** @param asItShouldBe whether a spec is what we would write */
export function planBudget(
  facts: BudgetFacts,
  { disruptionBudget }: GroupSettings,
  asItShouldBe: (spec: object, maxUnavailable: number) => boolean,
): BudgetPlan {
  const { ours, pods, ready, theirs, taken, unscaled } = facts;
  if (ours === undefined || ours.retired) {
    const wanted = disruptionBudget !== "none" && ready >= LEAST && unscaled.length === 0 && theirs.length === 0 && !taken;
    return wanted ? { act: "make", maxUnavailable: atATime(facts, disruptionBudget) } : { act: "nothing" };
  }
  const retire = (why: string, atOnce: boolean): BudgetPlan => ({ act: "retire", atOnce, why });
  if (disruptionBudget === "none") return retire("the group asks for none", true);
  if (theirs.length > 0) {
    const names = theirs.join(", ");
    return retire(`${names} selects the same pods, and Kubernetes evicts no pod that two of them select`, true);
  }
  if (unscaled.length > 0)
    return retire(
      `no Deployment or StatefulSet keeps ${unscaled.join(", ")}, and Kubernetes evicts no such pod under a budget`,
      false,
    );
  // By what the workloads want and not by the pods that are there: the moment in which one was evicted is the very one that the budget is for.
  if (pods === 0 || (ours.expected !== undefined && ours.expected < LEAST))
    return retire(`fewer than ${LEAST} pods are wanted, and a single pod that is not Ready could not be evicted`, false);
  const maxUnavailable = atATime(facts, disruptionBudget);
  return asItShouldBe(ours.spec, maxUnavailable) ? { act: "nothing" } : { act: "repair", maxUnavailable };
}

const atATime = ({ part }: BudgetFacts, wanted: number): number => (part === "redis" ? wanted : SENTINELS_AT_A_TIME);
