/**
 * The annotation table as data: one row per annotation that a person writes. The webhook, the handlers, the CLI's `explain` and the documentation
 * read the same rows, so a value can never be allowed in one place and refused in another.
 */
import { formatDuration, parseDuration } from "./duration.ts";
import { ANNOTATION, NOBODY, REDIS_PORT } from "./names.ts";

export type Role = "auto" | "master" | "replica" | "sentinel";
export type Auth =
  | { readonly kind: "generated" }
  | { readonly kind: "secret"; readonly name: string; readonly key: string }
  | { readonly kind: "none" };

export interface AnnotationRow<T> {
  /** the full annotation key */
  readonly key: string;
  /** undefined when the text is not allowed */
  readonly parse: (text: string) => T | undefined;
  /** what is allowed, to be read after "use " */
  readonly allowed: string;
  /** what holds when the annotation is absent, in words */
  readonly defaultText: string;
  readonly description: string;
}

/** The only answer to values below it: stock Sentinel reconnects to a new master up to 1 s late and takes it for down (facts: promotion, 1b). */
export const DOWN_AFTER_FLOOR_MS = 2_000;
export const DOWN_AFTER_DEFAULT_MS = 5_000;
export const FAILOVER_TIMEOUT_DEFAULT_MS = 10_000;
export const FAILOVER_TIMEOUT_FLOOR_MS = 1_000;
/** Bounds of what `min-replicas-max-lag` is by default (`maxLagDefaultS`). */
export const MAX_LAG_FLOOR_S = 2;
export const MAX_LAG_CEILING_S = 10;
/** The shortest lag that Redis can check; replicas report once a second (ADR 0030). */
export const MAX_LAG_REPLICATED_S = 1;
export const MIN_REPLICAS_REPLICATED = 1;
export const RECOVERY_WAIT_DEFAULT_MS = 120_000;
export const CLUSTER_NAME_LENGTH = 40;
export const DISRUPTION_BUDGET_DEFAULT = 1;

const DURATION = "such as 2500ms, 5s or 2m, or bare milliseconds";
const DNS_LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const CONTAINER_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SECRET_NAME = /^secret:([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)$/;
const SECRET_REFERENCE = /^secret:([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)\/([-._a-zA-Z0-9]{1,253})$/;

export const TABLE = {
  cluster: {
    key: ANNOTATION.cluster,
    // Services are named after it, and a Service's name starts with a letter (DNS-1035) in every Kubernetes version that we support.
    parse: (text: string) => dnsLabel(text, CLUSTER_NAME_LENGTH),
    allowed: `a DNS label: lower-case letters, digits and '-', starting with a letter, at most ${CLUSTER_NAME_LENGTH} characters`,
    defaultText: "required",
    description: "The group's name: pods of one namespace with the same value make one group. This annotation alone is enough.",
  },
  role: {
    key: ANNOTATION.role,
    parse: oneOf("auto", "master", "replica", "sentinel"),
    allowed: "auto, master, replica or sentinel",
    defaultText: "auto",
    description:
      "master: the preferred first master; replica: never preferred; sentinel: this pod is a sentinel and no Redis server.",
  },
  sentinel: {
    key: ANNOTATION.sentinel,
    parse: oneOf("sidecar", "none"),
    allowed: "sidecar or none",
    defaultText: "sidecar for role auto, none for role master and replica",
    description: "Whether each redis pod runs a sentinel beside it, or the group has sentinels of its own (role sentinel).",
  },
  quorum: {
    key: ANNOTATION.quorum,
    parse: wholeNumber(1, 1_000),
    allowed: "a whole number from 1 to 1000",
    defaultText: "more than half of the sentinels",
    description: "How many sentinels must find the master down before a failover starts.",
  },
  downAfter: {
    key: ANNOTATION.downAfter,
    parse: duration(DOWN_AFTER_FLOOR_MS),
    allowed: `a duration of at least 2s, ${DURATION} (below 2s stock Sentinel takes a new, healthy master for down and fails over again and again)`,
    defaultText: formatDuration(DOWN_AFTER_DEFAULT_MS),
    description:
      "How long a silent master is given before Sentinel calls it down. A master whose process surely ended is replaced at once.",
  },
  failoverTimeout: {
    key: ANNOTATION.failoverTimeout,
    parse: duration(FAILOVER_TIMEOUT_FLOOR_MS),
    allowed: `a duration of at least 1s, ${DURATION}`,
    defaultText: formatDuration(FAILOVER_TIMEOUT_DEFAULT_MS),
    description: "Sentinel's failover-timeout; a failed failover is tried again after twice this time.",
  },
  parallelSyncs: {
    key: ANNOTATION.parallelSyncs,
    parse: wholeNumber(1, 1_000),
    allowed: "a whole number from 1 to 1000",
    defaultText: "all replicas at once",
    description: "How many replicas may load the new master's data at the same time after a failover.",
  },
  durability: {
    key: ANNOTATION.durability,
    parse: oneOf("asynchronous", "replicated"),
    allowed: "asynchronous or replicated",
    defaultText: "asynchronous",
    description:
      "replicated: without a replica that reported within the last second the master takes no writes, whatever the group's size (docs/durability.md).",
  },
  minReplicasToWrite: {
    key: ANNOTATION.minReplicasToWrite,
    parse: wholeNumber(0, 1_000),
    allowed: "a whole number from 0 to 1000",
    defaultText: "1 when the group has at least 2 replicas, or durability is replicated; else 0",
    description:
      "How many replicas must be attached for the master to take writes: bounds what a master that was cut off can lose.",
  },
  minReplicasMaxLag: {
    key: ANNOTATION.minReplicasMaxLag,
    parse: wholeSeconds,
    // A bare number is seconds here, unlike the others, because redis.conf has a setting of the very same name in seconds.
    allowed: "whole seconds, such as 10s, or a bare number of seconds as in redis.conf; at least 1s",
    defaultText: `down-after less 2s, from ${MAX_LAG_FLOOR_S}s to ${MAX_LAG_CEILING_S}s; ${MAX_LAG_REPLICATED_S}s when durability is replicated`,
    description:
      "A replica that was silent for longer does not count for min-replicas-to-write. By default a master that was cut off stops before another one can be made.",
  },
  container: {
    key: ANNOTATION.container,
    parse: (text: string) => (CONTAINER_NAME.test(text) ? text : undefined),
    allowed: "the name of a container of the pod",
    defaultText: "the only container, or the one named redis or valkey",
    description: "Which container runs Redis (or Sentinel, for role sentinel).",
  },
  port: {
    key: ANNOTATION.port,
    // A waiting server is pointed at NOBODY.port: a server that listened there would follow itself.
    parse: (text: string) => (text === String(NOBODY.port) ? undefined : wholeNumber(1, 65_535)(text)),
    allowed: `a port number from 1 to 65535, other than ${NOBODY.port}`,
    defaultText: String(REDIS_PORT),
    description: "The port on which Redis listens.",
  },
  auth: {
    key: ANNOTATION.auth,
    parse: parseAuth,
    allowed: "generated, none, or secret:NAME/KEY (a Secret of the same namespace)",
    defaultText: "generated: a random password in the Secret CLUSTER-redis-ha",
    description: "The password of clients, replicas and sentinels.",
  },
  masterService: {
    key: ANNOTATION.masterService,
    parse: (text: string) => dnsLabel(text, 63),
    allowed: "the name of a Service of the same namespace",
    defaultText: "CLUSTER-master",
    description:
      "An existing Service to take over, so that clients keep the name they know; its selector is remembered and given back.",
  },
  promotion: {
    key: ANNOTATION.promotion,
    parse: oneOf("direct", "sentinel"),
    allowed: "direct or sentinel",
    defaultText: "direct",
    description: "direct: promote with the sentinels' votes in milliseconds; sentinel: use Sentinel's public commands only.",
  },
  recovery: {
    key: ANNOTATION.recovery,
    parse: oneOf("auto", "manual"),
    allowed: "auto or manual",
    defaultText: "auto",
    description: "After all pods were down: choose a master by its data, or halt until a person decides.",
  },
  recoveryWait: {
    key: ANNOTATION.recoveryWait,
    parse: duration(0),
    allowed: `a duration, ${DURATION}`,
    defaultText: formatDuration(RECOVERY_WAIT_DEFAULT_MS),
    description: "How long a recovery waits for pods that are still missing before it chooses among those that are there.",
  },
  priority: {
    key: ANNOTATION.priority,
    parse: wholeNumber(0, 2_147_483_647),
    allowed: "a whole number from 0 to 2147483647",
    defaultText: "the user's replica-priority (100)",
    description: "replica-priority: among the replicas the lowest is preferred as a master; 0 means never.",
  },
  networkPolicy: {
    key: ANNOTATION.networkPolicy,
    parse: oneOf("none", "namespace", "labelled"),
    allowed: "none, namespace or labelled",
    defaultText: "none",
    description:
      "A NetworkPolicy for Redis' and Sentinel's ports: besides the group and redis-ha only pods of the namespace that are in no group, or only those with the label redis-ha.io/client: CLUSTER.",
  },
  disruptionBudget: {
    key: ANNOTATION.disruptionBudget,
    parse: (text: string) => (text === "none" ? text : wholeNumber(1, 1_000)(text)),
    allowed: "a whole number from 1 to 1000, or none (0 would hold up every drain for ever)",
    defaultText: String(DISRUPTION_BUDGET_DEFAULT),
    description:
      "A PodDisruptionBudget of the group: so many of its redis pods may be evicted at a time. Not made where one of yours selects them (docs/production.md).",
  },
  spread: {
    key: ANNOTATION.spread,
    parse: oneOf("prefer", "require", "none"),
    allowed: "prefer, require or none",
    defaultText: "prefer",
    description:
      "The group's pods over nodes, then zones: prefer, or wait for a node where they would be even (require). Only where the pod has no spread constraints and no podAntiAffinity of its own.",
  },
  expose: {
    key: ANNOTATION.expose,
    parse: oneOf("none", "NodePort", "LoadBalancer"),
    allowed: "none, NodePort or LoadBalancer",
    defaultText: "none",
    description:
      "The type of the master Service, for clients outside of the cluster; they connect to it and cannot use the sentinels (docs/expose.md).",
  },
  tls: {
    key: ANNOTATION.tls,
    parse: (text: string) => SECRET_NAME.exec(text)?.[1],
    allowed: "secret:NAME (a Secret of the same namespace with the keys tls.crt, tls.key and ca.crt, as cert-manager makes it)",
    defaultText: "no TLS",
    description:
      "TLS, and nothing else, for clients, replication and sentinels, on the same ports; a renewed certificate is taken up while the group runs (docs/tls.md).",
  },
} as const satisfies Record<keyof typeof ANNOTATION, AnnotationRow<unknown>>;

function oneOf<const T extends string>(...values: readonly T[]): (text: string) => T | undefined {
  return (text) => values.find((value) => value === text);
}

function wholeNumber(least: number, most: number): (text: string) => number | undefined {
  return (text) => {
    if (!/^(0|[1-9][0-9]{0,9})$/.test(text)) return undefined;
    const value = Number(text);
    return value >= least && value <= most ? value : undefined;
  };
}

function duration(least: number): (text: string) => number | undefined {
  return (text) => {
    const value = parseDuration(text);
    return value !== undefined && value >= least ? value : undefined;
  };
}

function wholeSeconds(text: string): number | undefined {
  const value = parseDuration(text, "s");
  return value !== undefined && value >= 1_000 && value % 1_000 === 0 ? value / 1_000 : undefined;
}

function dnsLabel(text: string, length: number): string | undefined {
  return text.length <= length && DNS_LABEL.test(text) ? text : undefined;
}

function parseAuth(text: string): Auth | undefined {
  if (text === "generated" || text === "none") return { kind: text };
  const match = SECRET_REFERENCE.exec(text);
  const [name, key] = [match?.[1], match?.[3]];
  return name === undefined || key === undefined ? undefined : { kind: "secret", name, key };
}
