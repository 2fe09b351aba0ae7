/** What the pods of a group and the PodDisruptionBudgets of its namespace say to `policies/disruption-budget.ts`. Pure. */
import { selects } from "../../kube/selector.ts";
import type { Pod, PodDisruptionBudget } from "../../kube/types.ts";
import { budgetName, LABEL, MANAGED_BY, sentinelBudgetName } from "../../model/names.ts";
import type { BudgetFacts, BudgetPart } from "../policies/disruption-budget.ts";

/** Controllers whose scale Kubernetes knows: a budget over any other pod allows no eviction at all (pkg/controller/disruption, getExpectedScale). */
const SCALED: readonly string[] = ["ReplicaSet", "ReplicationController", "StatefulSet"];

/** The labels by which a budget of ours selects: the redis pods, or those that are a sentinel and nothing else. */
export function budgetSelector(part: BudgetPart, cluster: string): object {
  return part === "redis"
    ? { matchLabels: { [LABEL.cluster]: cluster, [LABEL.redis]: "true" } }
    : { matchLabels: { [LABEL.cluster]: cluster }, matchExpressions: [{ key: LABEL.redis, operator: "DoesNotExist" }] };
}

/**
 * @param pods of the group
 * @param budgets of its namespace
 */
export function budgetFacts(
  part: BudgetPart,
  cluster: string,
  pods: readonly Pod[],
  budgets: readonly PodDisruptionBudget[],
): BudgetFacts {
  const name = part === "redis" ? budgetName(cluster) : sentinelBudgetName(cluster);
  const own = pods.filter((pod) => isOf(part, pod));
  const ours = budgets.find((one) => one.metadata?.name === name && isOurs(one, cluster));
  const theirs = budgets.filter(
    (one) =>
      one !== ours &&
      own.some(({ metadata }) => one.spec?.selector !== undefined && selects(one.spec.selector, metadata?.labels ?? {})),
  );
  return {
    part,
    name,
    pods: own.length,
    ready: own.filter(isReady).length,
    unscaled: own.filter((pod) => !isScaled(pod)).map(nameOf),
    theirs: theirs.map(nameOf),
    taken: ours === undefined && budgets.some((one) => one.metadata?.name === name),
    ours: ours === undefined ? undefined : seen(ours),
  };
}

function isOf(part: BudgetPart, { metadata, status }: Pod): boolean {
  const ended = status?.phase === "Succeeded" || status?.phase === "Failed";
  const redis = metadata?.labels?.[LABEL.redis] === "true";
  return !ended && metadata?.deletionTimestamp === undefined && redis === (part === "redis");
}

const nameOf = (object: Pod | PodDisruptionBudget): string => object.metadata?.name ?? "";

const isReady = ({ status }: Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false;

const isScaled = ({ metadata }: Pod): boolean =>
  metadata?.ownerReferences?.some(({ controller, kind }) => controller === true && SCALED.includes(kind)) ?? false;

const isOurs = ({ metadata }: PodDisruptionBudget, cluster: string): boolean =>
  metadata?.labels?.[LABEL.managedBy] === MANAGED_BY && metadata.labels[LABEL.cluster] === cluster;

function seen({ metadata, spec, status }: PodDisruptionBudget): BudgetFacts["ours"] {
  const current = status !== undefined && status.observedGeneration === metadata?.generation;
  return {
    resourceVersion: metadata?.resourceVersion ?? "",
    spec: spec ?? {},
    retired: spec?.selector === undefined,
    expected: current ? status.expectedPods : undefined,
  };
}
