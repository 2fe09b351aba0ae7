/** Doctor's checks of the groups: facts in, findings out. Pure. */
import { findUninjected } from "../../handlers/watch/uninjected.ts";
import { ANNOTATION, LABEL } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { type Check, finding } from "./findings.ts";
import { groupsOf, kubectlFor, workloadOf } from "./group-pods.ts";

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
    const late = notices.find(({ reason }) => reason === REASON.EndpointsLate);
    if (late !== undefined)
      return [
        finding(
          "broken",
          "group",
          `${name}: ${late.message}`,
          "kubectl -n kube-system get pods -l component=kube-controller-manager   (with a hosted control plane its provider sees them)",
        ),
      ];
    return state === "degraded"
      ? [finding("warning", "group", `${name} is degraded: not every redis answers`, `redis-ha status ${name}`)]
      : [];
  });

/** What the handlers say of annotations of pods that run. */
const OF_SETTINGS: ReadonlySet<string> = new Set([REASON.InvalidSettings, REASON.SettingsDiffer]);

export const annotations: Check = (facts) => {
  const pods = groupsOf(facts);
  return facts.groups.flatMap(({ namespace, cluster, notices }) => {
    const name = `${namespace}/${cluster}`;
    const own = pods.find((one) => one.name === name)?.redis.map(({ pod }) => pod) ?? [];
    const workloads = [...new Set(own.map(workloadOf))].map((workload) => workload.replace(" ", "/")).join(" ");
    const mend = `${kubectlFor(own[0])} edit ${workloads}   (the annotations of the pod template; docs/annotations.md has the values)`;
    return notices
      .filter(({ reason }) => OF_SETTINGS.has(reason))
      .map(({ message }) => finding("warning", "settings", `${name}: ${message}`, mend));
  });
};

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
