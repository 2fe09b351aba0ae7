/** Makes, repairs and retires a group's PodDisruptionBudgets. */
import type { Kube } from "../../kube/client.ts";
import { isConflict, isNotFound } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { GroupId, ServiceFact } from "../../model/facts.ts";
import { LABEL, MANAGED_BY } from "../../model/names.ts";
import type { BudgetFacts, BudgetPlan } from "../policies/disruption-budget.ts";
import { budgetSelector } from "../watch/budget-facts.ts";
import { same } from "./same.ts";

/**
 * What the budget says. IfHealthyBudget (Kubernetes' default, written out because it matters here): a pod that is not Ready may be evicted while enough others
 * are, but not when none is: then the pods that are not Ready hold the only data.
 */
export function budgetSpec({ part }: Pick<BudgetFacts, "part">, cluster: string, maxUnavailable: number): object {
  return { maxUnavailable, selector: budgetSelector(part, cluster), unhealthyPodEvictionPolicy: "IfHealthyBudget" };
}

export const isBudgetSpec = (facts: BudgetFacts, cluster: string) => (spec: object, maxUnavailable: number) =>
  same(spec, budgetSpec(facts, cluster, maxUnavailable));

/**
 * Carries a plan out. It belongs to the master Service and goes with it. Returns a sentence for people, or undefined where nothing was changed: somebody was
 * faster, and the watch will tell.
 */
export async function applyBudget(
  kube: Kube,
  group: GroupId,
  facts: BudgetFacts,
  plan: BudgetPlan,
  service: ServiceFact,
): Promise<string | undefined> {
  const path = PATH.podDisruptionBudgets(group.namespace, facts.name);
  const { ours, name } = facts;
  const what = facts.part === "redis" ? "redis pods" : "sentinels";
  try {
    if (plan.act === "nothing") return undefined;
    if (plan.act === "retire") {
      if (ours === undefined) return undefined;
      await kube.mergePatch(path, { metadata: { resourceVersion: ours.resourceVersion }, spec: { selector: null } });
      return `PodDisruptionBudget ${name} selects nobody any more: ${plan.why}`;
    }
    const spec = budgetSpec(facts, group.cluster, plan.maxUnavailable);
    const says = `of the group's ${what} at most ${plan.maxUnavailable} may be evicted at a time`;
    if (ours !== undefined) {
      // Null for what we would not write: a merge patch keeps every key that it does not name.
      const others = Object.keys(ours.spec).filter((key) => !(key in spec));
      const patch = { ...spec, ...Object.fromEntries(others.map((key) => [key, null])) };
      await kube.mergePatch(path, { metadata: { resourceVersion: ours.resourceVersion }, spec: patch });
      return `PodDisruptionBudget ${name} was put right: ${says}`;
    }
    const labels = { [LABEL.cluster]: group.cluster, [LABEL.managedBy]: MANAGED_BY };
    const ownerReferences = [{ apiVersion: "v1", kind: "Service", name: service.name, uid: service.uid }];
    await kube.create(PATH.podDisruptionBudgets(group.namespace), {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name, namespace: group.namespace, labels, ownerReferences },
      spec,
    });
    return `PodDisruptionBudget ${name} was made: ${says}`;
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return undefined;
    throw error;
  }
}
