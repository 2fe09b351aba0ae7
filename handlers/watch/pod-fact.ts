/** A pod object of the API server as a fact. Pure. */
import type { Pod } from "../../kube/types.ts";
import type { PodFact } from "../../model/facts.ts";
import { IN_SYNC_GATE, INJECTED, LABEL, MARK } from "../../model/names.ts";
import { parseSettings } from "../../model/settings.ts";

/** @param nodeGoing whether a node is cordoned or gone */
export function podFact(pod: Pod, nodeGoing: (node: string) => boolean): PodFact | undefined {
  const { name, uid, labels = {}, annotations = {} } = pod.metadata ?? {};
  const instance = labels[LABEL.instance];
  if (name === undefined || uid === undefined || instance === undefined) return undefined;
  const { settings, errors } = parseSettings(annotations, labels);
  const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  // The webhook writes the container's name back; the command may since have been wrapped by somebody else's injector.
  const redis =
    containers.find((container) => container.name === settings.container) ??
    containers.find((container) => container.command?.[0] === INJECTED.redisCommand);
  const status = pod.status?.containerStatuses?.find((one) => one.name === redis?.name);
  const gate = pod.status?.conditions?.find((condition) => condition.type === IN_SYNC_GATE);
  const slot = Number.parseInt(annotations[MARK.sentinelSlot] ?? "", 10);
  const phase = pod.status?.phase;
  const node = pod.spec?.nodeName;
  return {
    name,
    uid,
    ip: pod.status?.podIP,
    port: settings.port,
    node,
    instance,
    role: settings.role,
    hasRedis: labels[LABEL.redis] === "true",
    hasSentinel: labels[LABEL.sentinel] === "true",
    createdAt: pod.metadata?.creationTimestamp === undefined ? 0 : new Date(pod.metadata.creationTimestamp).getTime(),
    revision: labels["pod-template-hash"] ?? labels["controller-revision-hash"] ?? "",
    terminating: pod.metadata?.deletionTimestamp !== undefined,
    graceMs: (pod.metadata?.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000,
    ended: phase === "Succeeded" || phase === "Failed",
    orphan: false,
    started: [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])].some(
      (one) =>
        (one === status || one.name === INJECTED.sentinelContainer) &&
        (one.state?.running !== undefined || one.lastState?.terminated !== undefined),
    ),
    containerEnded:
      status !== undefined &&
      status.state?.running === undefined &&
      (status.state?.terminated ?? status.lastState?.terminated) !== undefined,
    restarts: status?.restartCount ?? 0,
    nodeGoing: node !== undefined && nodeGoing(node),
    slot: Number.isInteger(slot) ? slot : undefined,
    roleLabel: labels[LABEL.role],
    hasGate: pod.spec?.readinessGates?.some((one) => one.conditionType === IN_SYNC_GATE) ?? false,
    inSync: gate === undefined ? undefined : gate.status === "True",
    volume: claimOf(pod, redis?.name),
    settings,
    settingErrors: errors,
  };
}

/** The claim whose volume the redis container mounts; the first one if it mounts several. */
function claimOf(pod: Pod, container: string | undefined): string | undefined {
  const mounts = new Set(pod.spec?.containers.find(({ name }) => name === container)?.volumeMounts?.map(({ name }) => name));
  return pod.spec?.volumes?.find((volume) => volume.persistentVolumeClaim !== undefined && mounts.has(volume.name))
    ?.persistentVolumeClaim?.claimName;
}
