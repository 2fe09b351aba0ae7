/** Doctor's checks of a group's shape and settings: with which data can be lost, or writes be blocked. Pure. */
import { selects } from "../../kube/selector.ts";
import type { Pod } from "../../kube/types.ts";
import { ANNOTATION, budgetName } from "../../model/names.ts";
import { type Check, type Facts, type Finding, finding } from "./findings.ts";
import { annotate, type GroupPods, groupsOf, kubectlFor, scale, workloadOf } from "./group-pods.ts";

export const risks: Check = (facts) => {
  const groups = groupsOf(facts);
  return [
    ...groups.flatMap((group) => [...shape(group), ...settings(group), ...disruption(group, facts)]),
    ...sharedPasswords(groups),
  ];
};

/** Sentinel knows servers by their address alone; what keeps one group from another's is that the password is wrong there. */
function sharedPasswords(groups: readonly GroupPods[]): Finding[] {
  const users = new Map<string, string[]>();
  for (const { name, namespace, redis } of groups) {
    const auth = redis[0]?.fact.settings.auth;
    if (auth?.kind !== "secret") continue;
    const secret = `${namespace}/${auth.name}, key ${auth.key}`;
    users.set(secret, [...(users.get(secret) ?? []), name]);
  }
  return [...users].flatMap(([secret, names]) =>
    names.length < 2
      ? []
      : [
          finding(
            "warning",
            "data",
            `${names.join(" and ")} have one password (Secret ${secret}): at a reused address a server of one could follow the other's master and lose its data`,
            `a Secret of its own for each group: ${ANNOTATION.auth}=secret:NAME/KEY`,
          ),
        ],
  );
}

function shape({ name, redis, sentinels }: GroupPods): Finding[] {
  const [some, count] = [redis[0]?.pod, sentinels.length];
  const nodes = new Set(redis.map(({ fact }) => fact.node));
  const found: Finding[] = [];
  if (redis.length === 1) found.push(finding("warning", "data", `${name} has one redis: nothing can take over`, scale(some, 3)));
  if (redis.length > 1 && nodes.size === 1)
    found.push(
      finding(
        "warning",
        "data",
        `all ${redis.length} pods of ${name} are on node ${[...nodes][0] ?? "?"}: it takes all of them with it`,
        `${annotate(some, ANNOTATION.spread, "require")}   (a pod then rather waits for another node; have at least two)`,
      ),
    );
  if (count > 0 && count < 3)
    found.push(
      finding(
        "warning",
        "quorum",
        `${name} has ${count} sentinels: with one of them gone nobody can be elected`,
        `${scale(sentinels[0], 3)}   (have three)`,
      ),
    );
  else if (count % 2 === 0 && count > 0)
    found.push(
      finding(
        "hint",
        "quorum",
        `${name} has ${count} sentinels: an odd number bears as many losses with one less`,
        scale(sentinels[0], count - 1),
      ),
    );
  if (redis.length > 0 && redis.every(({ fact }) => fact.volume === undefined))
    found.push(
      finding(
        "hint",
        "data",
        `${name} has no volumes: when all pods end at once, all data is gone`,
        "wanted for a cache; else a StatefulSet with volumeClaimTemplates: manifests/examples/statefulset.yaml",
      ),
    );
  return found;
}

function settings({ name, redis }: GroupPods): Finding[] {
  const newest = [...redis].sort((a, b) => b.fact.createdAt - a.fact.createdAt)[0];
  if (newest === undefined) return [];
  const { auth, minReplicasToWrite } = newest.fact.settings;
  const image = newest.pod.spec?.containers.find((one) => one.name === newest.fact.settings.container)?.image ?? "";
  const found: Finding[] = [];
  if (auth.kind === "none")
    found.push(
      finding(
        "warning",
        "data",
        `${name} has no password: a foreign server at a reused address could follow it, and anybody in the network can write`,
        'a running group cannot get one by a roll-out; how it gets one: docs/annotations.md, "The password"',
      ),
    );
  if (minReplicasToWrite === 0 && redis.length >= 3)
    found.push(
      finding(
        "warning",
        "data",
        `${name} has min-replicas-to-write 0: a master that is cut off takes writes that will be lost`,
        annotate(newest.pod, ANNOTATION.minReplicasToWrite, "1"),
      ),
    );
  if (minReplicasToWrite !== undefined && minReplicasToWrite >= redis.length && redis.length > 0)
    found.push(
      finding(
        "broken",
        "data",
        `${name} wants ${minReplicasToWrite} replicas for a write, and has ${redis.length - 1}: no write is taken`,
        annotate(newest.pod, ANNOTATION.minReplicasToWrite, "1"),
      ),
    );
  if (!/[:@]/.test(image.split("/").at(-1) ?? "") || image.endsWith(":latest"))
    found.push(
      finding(
        "warning",
        "data",
        `${name} runs ${image}: a pod that restarts may get another server version, and an older one cannot read a newer one's data`,
        `${kubectlFor(newest.pod)} set image ${workloadOf(newest.pod)} ${newest.fact.settings.container ?? "redis"}=${image.replace(/:latest$/, "")}:VERSION`,
      ),
    );
  return found;
}

function disruption({ name, namespace, cluster, redis }: GroupPods, { budgets }: Facts): Finding[] {
  if (budgets === undefined) return [];
  const over = (pod: Pod): string[] =>
    budgets
      .filter(
        (one) => one.namespace === namespace && one.selector !== undefined && selects(one.selector, pod.metadata?.labels ?? {}),
      )
      .map((one) => one.name);
  const some = redis[0]?.pod;
  const twice = redis.map(({ pod }) => over(pod)).find((names) => names.length > 1);
  if (twice !== undefined) {
    // Where one is the user's own, ours is taken back.
    const ours = budgetName(cluster);
    const kept = twice.find((one) => one !== ours);
    return [
      finding(
        "broken",
        "disruption",
        `${name}: the PodDisruptionBudgets ${twice.join(" and ")} select the same pods: Kubernetes refuses every eviction, so no drain ends`,
        `${kubectlFor(some)} delete poddisruptionbudget ${twice.filter((one) => one !== kept).join(" ")}   (keeps ${kept})`,
      ),
    ];
  }
  if (redis.length < 2 || redis.some(({ pod }) => over(pod).length > 0)) return [];
  return [
    finding(
      "hint",
      "disruption",
      `${name} has no PodDisruptionBudget: two drains at once may take two of its pods`,
      `${annotate(some, ANNOTATION.disruptionBudget, "1")}   (redis-ha makes one), or make your own`,
    ),
  ];
}
