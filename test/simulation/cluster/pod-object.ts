/** A pod of the group as the API server holds it when it has passed the webhook. */
import { ANNOTATION, IN_SYNC_GATE, INJECTED, LABEL, MARK } from "../../../model/names.ts";
import type { Meta, Thing } from "./api.ts";
import { NAMESPACE } from "./controllers.ts";

export const CLUSTER = "cache";

export interface PodSettings {
  readonly persistence: "none" | "rdb" | "aof";
  /** the data is on a volume of its own, or in the container */
  readonly volume: boolean;
  readonly downAfterMs: number;
  readonly graceS: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What runs in a pod, and the annotation that says so. */
export interface Part {
  readonly redis: boolean;
  readonly sentinel: boolean;
  /** undefined: not annotated */
  readonly role: "master" | "replica" | "sentinel" | undefined;
}

export function podObject(made: {
  readonly name: string;
  readonly uid: string;
  readonly instance: string;
  readonly node: string;
  readonly revision: string;
  readonly claim: string | undefined;
  readonly part: Part;
  readonly settings: PodSettings;
}): Omit<Thing, "metadata"> & { metadata: Omit<Meta, "resourceVersion"> } {
  const { claim, part, settings } = made;
  const mounts = claim === undefined ? [] : [{ name: "data", mountPath: "/data" }];
  const command = part.redis ? INJECTED.redisCommand : INJECTED.sentinelCommand;
  return {
    metadata: {
      name: made.name,
      namespace: NAMESPACE,
      uid: made.uid,
      labels: {
        [LABEL.cluster]: CLUSTER,
        [LABEL.instance]: made.instance,
        ...(part.redis ? { [LABEL.redis]: "true" } : {}),
        ...(part.sentinel ? { [LABEL.sentinel]: "true" } : {}),
        "pod-template-hash": made.revision,
      },
      annotations: {
        [ANNOTATION.cluster]: CLUSTER,
        ...(part.role === undefined ? {} : { [ANNOTATION.role]: part.role }),
        [MARK.status]: "{}",
        ...settings.annotations,
      },
    },
    spec: {
      nodeName: made.node,
      terminationGracePeriodSeconds: settings.graceS,
      ...(part.redis ? { readinessGates: [{ conditionType: IN_SYNC_GATE }] } : {}),
      containers: [{ name: "redis", command: [command], volumeMounts: mounts }],
      volumes: claim === undefined ? [] : [{ name: "data", persistentVolumeClaim: { claimName: claim } }],
    },
    status: { phase: "Pending", conditions: [] },
  };
}
