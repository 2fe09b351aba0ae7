/** Doctor's checks of the groups: facts in, findings out. Pure. */
import { podFact } from "../../handlers/watch/pod-fact.ts";
import { findUninjected } from "../../handlers/watch/uninjected.ts";
import { selects } from "../../kube/selector.ts";
import type { Pod } from "../../kube/types.ts";
import type { PodFact } from "../../model/facts.ts";
import { ANNOTATION, LABEL, SENTINEL_PORT, SERVER_LABELS } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import type { Check, Facts, Finding, Level } from "./findings.ts";
import { blocking, blockingEgress, type End } from "./network.ts";

interface GroupPods {
  readonly name: string;
  readonly namespace: string;
  readonly cluster: string;
  readonly redis: readonly { readonly pod: Pod; readonly fact: PodFact }[];
  readonly sentinels: number;
}

function groupsOf({ pods }: Facts): GroupPods[] {
  const found = new Map<string, { pod: Pod; fact: PodFact }[]>();
  for (const pod of pods) {
    const fact = podFact(pod, () => false);
    const cluster = pod.metadata?.labels?.[LABEL.cluster];
    if (fact === undefined || cluster === undefined || fact.terminating || fact.ended) continue;
    const key = `${pod.metadata?.namespace}/${cluster}`;
    found.set(key, [...(found.get(key) ?? []), { pod, fact }]);
  }
  return [...found].map(([name, all]) => ({
    name,
    namespace: name.split("/")[0] ?? "",
    cluster: name.split("/")[1] ?? "",
    redis: all.filter(({ fact }) => fact.hasRedis),
    sentinels: all.filter(({ fact }) => fact.hasSentinel).length,
  }));
}

export const states: Check = ({ groups }) =>
  groups.flatMap(({ namespace, cluster, state, halted, notices }) => {
    const name = `${namespace}/${cluster}`;
    if (state === "halted")
      return [
        finding("broken", "group", `${name} is halted: ${halted ?? notices[0]?.message ?? "?"}`, `redis-ha status ${name}`),
      ];
    if (state === "masterless")
      return [
        finding(
          "broken",
          "group",
          `${name} has no master: ${notices[0]?.message ?? "see its status"}`,
          `redis-ha status ${name} --watch`,
        ),
      ];
    const quorum = notices.find(({ reason }) => reason === REASON.QuorumLost);
    if (quorum !== undefined)
      return [
        finding("broken", "group", `${name}: ${quorum.message}`, `kubectl -n ${namespace} get pods -l ${LABEL.sentinel}=true`),
      ];
    return state === "degraded"
      ? [finding("warning", "group", `${name} is degraded: not every redis answers`, `redis-ha status ${name}`)]
      : [];
  });

/** What the handlers say of annotations of pods that run. */
const OF_SETTINGS: ReadonlySet<string> = new Set([REASON.InvalidSettings, REASON.SettingsDiffer]);

export const annotations: Check = ({ groups }) =>
  groups.flatMap(({ namespace, cluster, notices }) =>
    notices
      .filter(({ reason }) => OF_SETTINGS.has(reason))
      .map(({ message }) =>
        finding(
          "warning",
          "settings",
          `${namespace}/${cluster}: ${message}`,
          `kubectl -n ${namespace} annotate deployment NAME --overwrite KEY=VALUE   (docs/annotations.md has the values)`,
        ),
      ),
  );

export const injection: Check = ({ pods }) =>
  findUninjected([...pods]).map(({ metadata }) =>
    finding(
      "broken",
      "injection",
      `pod ${metadata?.namespace}/${metadata?.name} asks for group ${metadata?.annotations?.[ANNOTATION.cluster] ?? metadata?.labels?.[LABEL.cluster] ?? "?"} but was not injected: it is a plain server`,
      `kubectl -n ${metadata?.namespace} delete pod ${metadata?.name}   (its workload makes a new one; is the namespace labelled ${LABEL.injection}=disabled?)`,
    ),
  );

/** Often in one hour: a tool that keeps the Service as a file has it. */
const OFTEN = 3;

export const selectors: Check = ({ events, here }) => {
  const count = new Map<string, number>();
  for (const event of events) {
    if (event.reason !== REASON.SelectorRepaired || here - Date.parse(event.lastTimestamp ?? "") > 3_600_000) continue;
    const key = `${event.metadata?.namespace}/${event.involvedObject.name}`;
    count.set(key, Math.max(count.get(key) ?? 0, event.count ?? 1));
  }
  return [...count]
    .filter(([, times]) => times >= OFTEN)
    .map(([service, times]) =>
      finding(
        "warning",
        "selector",
        `somebody else writes the selector of Service ${service}: it was repaired ${times} times within the last hour`,
        `take spec.selector of this Service out of your manifests or chart (kubectl -n ${service.split("/")[0]} get service ${service.split("/")[1]} --show-managed-fields -o yaml names who writes it)`,
      ),
    );
};

export const networks: Check = (facts) => {
  const { policies, system, systemLabels } = facts;
  if (policies === undefined || policies.length === 0) return [];
  const handlers: End = { namespace: system, namespaceLabels: systemLabels, labels: SERVER_LABELS };
  return groupsOf(facts).flatMap(({ name, namespace, redis }) => {
    const found = new Set<string>();
    for (const { pod, fact } of redis) {
      const labels = pod.metadata?.labels ?? {};
      const to: End = { namespace, namespaceLabels: { "kubernetes.io/metadata.name": namespace }, labels };
      for (const port of [fact.port, ...(fact.hasSentinel ? [SENTINEL_PORT] : [])]) {
        for (const policy of blocking(policies, handlers, to, port))
          found.add(`NetworkPolicy ${namespace}/${policy} keeps redis-ha away from port ${port}`);
        for (const policy of blocking(policies, to, to, port))
          found.add(`NetworkPolicy ${namespace}/${policy} keeps pods of the group away from each other's port ${port}`);
        for (const policy of blockingEgress(policies, handlers, to, port))
          found.add(`NetworkPolicy ${system}/${policy} keeps redis-ha from reaching port ${port} of ${namespace}`);
      }
    }
    const mend = `allow ports 6379 and ${SENTINEL_PORT} between pods with label ${LABEL.cluster}, and from namespace ${system}`;
    return [...found].map((message) => finding("broken", "network", `${name}: ${message}`, mend));
  });
};

/** Settings and shapes with which data can be lost, or writes be blocked. */
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

function shape({ name, namespace, redis, sentinels }: GroupPods): Finding[] {
  const nodes = new Set(redis.map(({ fact }) => fact.node));
  const found: Finding[] = [];
  if (redis.length === 1)
    found.push(
      finding(
        "warning",
        "data",
        `${name} has one redis: nothing can take over`,
        `kubectl -n ${namespace} scale deployment NAME --replicas=3`,
      ),
    );
  if (redis.length > 1 && nodes.size === 1)
    found.push(
      finding(
        "warning",
        "data",
        `all ${redis.length} pods of ${name} are on node ${[...nodes][0] ?? "?"}: it takes all of them with it`,
        `add topologySpreadConstraints over kubernetes.io/hostname to the pod template, and more nodes`,
      ),
    );
  if (sentinels > 0 && sentinels < 3)
    found.push(
      finding(
        "warning",
        "quorum",
        `${name} has ${sentinels} sentinels: with one of them gone nobody can be elected`,
        `have three: kubectl -n ${namespace} scale deployment NAME --replicas=3`,
      ),
    );
  else if (sentinels % 2 === 0 && sentinels > 0)
    found.push(
      finding(
        "hint",
        "quorum",
        `${name} has ${sentinels} sentinels: an odd number bears as many losses with one less`,
        `kubectl -n ${namespace} scale deployment NAME --replicas=${sentinels - 1}`,
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
        `kubectl annotate deployment NAME --overwrite ${ANNOTATION.auth}=generated   (clients need the new password)`,
      ),
    );
  if (minReplicasToWrite === 0 && redis.length >= 3)
    found.push(
      finding(
        "warning",
        "data",
        `${name} has min-replicas-to-write 0: a master that is cut off takes writes that will be lost`,
        `kubectl annotate deployment NAME ${ANNOTATION.minReplicasToWrite}-   (the default is 1)`,
      ),
    );
  if (minReplicasToWrite !== undefined && minReplicasToWrite >= redis.length && redis.length > 0)
    found.push(
      finding(
        "broken",
        "data",
        `${name} wants ${minReplicasToWrite} replicas for a write, and has ${redis.length - 1}: no write is taken`,
        `kubectl annotate deployment NAME --overwrite ${ANNOTATION.minReplicasToWrite}=1`,
      ),
    );
  if (!/[:@]/.test(image.split("/").at(-1) ?? "") || image.endsWith(":latest"))
    found.push(
      finding(
        "warning",
        "data",
        `${name} runs ${image}: a pod that restarts may get another server version, and an older one cannot read a newer one's data`,
        "name a version in the image",
      ),
    );
  return found;
}

function disruption({ name, namespace, redis }: GroupPods, { budgets }: Facts): Finding[] {
  if (budgets === undefined) return [];
  const over = (pod: Pod): string[] =>
    budgets
      .filter(
        (one) => one.namespace === namespace && one.selector !== undefined && selects(one.selector, pod.metadata?.labels ?? {}),
      )
      .map((one) => one.name);
  const twice = redis.map(({ pod }) => over(pod)).find((names) => names.length > 1);
  if (twice !== undefined)
    return [
      finding(
        "broken",
        "disruption",
        `${name}: the PodDisruptionBudgets ${twice.join(" and ")} select the same pods: Kubernetes refuses every eviction, so no drain ends`,
        `kubectl -n ${namespace} delete poddisruptionbudget NAME   (all but one; redis-ha takes back its own)`,
      ),
    ];
  if (redis.length < 2 || redis.some(({ pod }) => over(pod).length > 0)) return [];
  return [
    finding(
      "hint",
      "disruption",
      `${name} has no PodDisruptionBudget: two drains at once may take two of its pods`,
      `kubectl annotate deployment NAME ${ANNOTATION.disruptionBudget}-   (the default makes one), or make your own`,
    ),
  ];
}

const finding = (level: Level, check: string, message: string, mend: string): Finding => ({ level, check, message, mend });
