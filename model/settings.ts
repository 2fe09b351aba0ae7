/** What a pod's annotations say about its group, read once and strictly: used by the webhook at admission and by the handlers on live pods. */
import {
  type AnnotationRow,
  type Auth,
  DISRUPTION_BUDGET_DEFAULT,
  DOWN_AFTER_DEFAULT_MS,
  FAILOVER_TIMEOUT_DEFAULT_MS,
  MAX_LAG_CEILING_S,
  MAX_LAG_FLOOR_S,
  MAX_LAG_REPLICATED_S,
  MIN_REPLICAS_REPLICATED,
  RECOVERY_WAIT_DEFAULT_MS,
  type Role,
  TABLE,
} from "./annotation-table.ts";
import { ANNOTATION, LABEL, MARK, REDIS_PORT, replicasServiceName, SENTINEL_PORT, sentinelServiceName } from "./names.ts";
import { unknownKeys } from "./unknown-keys.ts";

export type { Auth, Role } from "./annotation-table.ts";

export interface GroupSettings {
  /** "" only when the annotation is absent or wrong (there is an error then) */
  readonly cluster: string;
  readonly role: Role;
  /** "none" for role sentinel */
  readonly sentinel: "sidecar" | "none";
  readonly quorum?: number;
  readonly downAfterMs: number;
  readonly failoverTimeoutMs: number;
  readonly parallelSyncs?: number;
  readonly minReplicasToWrite?: number;
  readonly minReplicasMaxLagS: number;
  readonly container?: string;
  readonly port: number;
  readonly auth: Auth;
  /** absent: masterServiceName(cluster) */
  readonly masterService?: string;
  readonly promotion: "direct" | "sentinel";
  readonly recovery: "auto" | "manual";
  readonly recoveryWaitMs: number;
  readonly priority?: number;
  readonly networkPolicy: "none" | "namespace" | "labelled";
  /** so many redis pods may be evicted at a time; none: no PodDisruptionBudget of ours */
  readonly disruptionBudget: number | "none";
  /** over nodes and zones; where the pod itself says it, that holds */
  readonly spread: "prefer" | "require" | "none";
  /** absent: the master Service has the type that it was given */
  readonly expose?: "NodePort" | "LoadBalancer";
  /** the Secret with the group's certificate; absent: no TLS */
  readonly tlsSecret?: string;
}

export interface ParsedSettings {
  /** complete also when there are errors (defaults stand in), but then only fit for a message */
  readonly settings: GroupSettings;
  /** each names the annotation, the value given and what is allowed */
  readonly errors: string[];
  /** each at most 120 characters */
  readonly warnings: string[];
}

type StringMap = Readonly<Record<string, string>>;

/**
 * Reads the settings. `cluster` and `role` also count as labels; where annotation and label differ it is an error.
 * On a pod that the webhook has injected (MARK.status) the label `role` is the handlers' own and is not read: the webhook wrote the
 * wish into the annotation.
 */
export function parseSettings(annotations: StringMap, labels: StringMap = {}): ParsedSettings {
  const errors: string[] = [];
  const warnings = unknownKeys(annotations, labels);
  const given = withLabels(annotations, labels, errors);

  const read = <T>(row: AnnotationRow<T>): T | undefined => {
    const text = given.get(row.key);
    if (text === undefined) return undefined;
    const value = row.parse(text);
    if (value === undefined) errors.push(`${row.key}: ${quote(text)} is not allowed; use ${row.allowed}`);
    return value;
  };

  if (!given.has(ANNOTATION.cluster)) {
    errors.push(
      `${ANNOTATION.cluster} is missing: other annotations of redis-ha mean nothing without it; use ${TABLE.cluster.allowed}`,
    );
  }
  const role = read(TABLE.role) ?? "auto";
  const sentinel = read(TABLE.sentinel) ?? (role === "auto" ? "sidecar" : "none");
  const replicated = read(TABLE.durability) === "replicated";
  const expose = read(TABLE.expose);
  const downAfterMs = read(TABLE.downAfter) ?? DOWN_AFTER_DEFAULT_MS;
  const settings: GroupSettings = {
    cluster: read(TABLE.cluster) ?? "",
    role,
    sentinel: role === "sentinel" ? "none" : sentinel,
    ...optional("quorum", read(TABLE.quorum)),
    downAfterMs,
    failoverTimeoutMs: read(TABLE.failoverTimeout) ?? FAILOVER_TIMEOUT_DEFAULT_MS,
    ...optional("parallelSyncs", read(TABLE.parallelSyncs)),
    ...optional("minReplicasToWrite", read(TABLE.minReplicasToWrite) ?? (replicated ? MIN_REPLICAS_REPLICATED : undefined)),
    minReplicasMaxLagS: read(TABLE.minReplicasMaxLag) ?? (replicated ? MAX_LAG_REPLICATED_S : maxLagDefaultS(downAfterMs)),
    ...optional("container", read(TABLE.container)),
    port: read(TABLE.port) ?? REDIS_PORT,
    auth: read<Auth>(TABLE.auth) ?? { kind: "generated" },
    ...optional("masterService", read(TABLE.masterService)),
    promotion: read(TABLE.promotion) ?? "direct",
    recovery: read(TABLE.recovery) ?? "auto",
    recoveryWaitMs: read(TABLE.recoveryWait) ?? RECOVERY_WAIT_DEFAULT_MS,
    ...optional("priority", read(TABLE.priority)),
    networkPolicy: read(TABLE.networkPolicy) ?? "none",
    disruptionBudget: read<number | "none">(TABLE.disruptionBudget) ?? DISRUPTION_BUDGET_DEFAULT,
    spread: read(TABLE.spread) ?? "prefer",
    ...optional("expose", expose === "none" ? undefined : expose),
    ...optional("tlsSecret", read(TABLE.tls)),
  };
  checkTogether(settings, given, errors, warnings);
  checkExposed(settings, errors);
  return { settings, errors, warnings };
}

/** What a master that is cut off takes beyond its lag, ms: its replicas report once a second, and it counts them once a second. */
const COUNTED_LATE_MS = 2000;

/**
 * The default of min-replicas-max-lag, seconds (ADR 0036): with it a master that was cut off has stopped before down-after is over, when the sentinels beyond the
 * cut may make another one. Never so short that a late report refuses healthy writes, never longer than Redis' own.
 */
export function maxLagDefaultS(downAfterMs: number): number {
  return Math.min(MAX_LAG_CEILING_S, Math.max(MAX_LAG_FLOOR_S, Math.floor((downAfterMs - COUNTED_LATE_MS) / 1000)));
}

/** What no single row can see. */
function checkTogether(settings: GroupSettings, given: ReadonlyMap<string, string>, errors: string[], warnings: string[]): void {
  const { cluster, masterService } = settings;
  if (settings.sentinel === "sidecar" && settings.port === SENTINEL_PORT) {
    errors.push(`${ANNOTATION.port}: "${SENTINEL_PORT}" is the port of the sentinel in the same pod; use another one`);
  }
  if (masterService !== undefined && [replicasServiceName(cluster), sentinelServiceName(cluster)].includes(masterService)) {
    errors.push(
      `${ANNOTATION.masterService}: ${quote(masterService)} is the name of another Service of this group; use a different one`,
    );
  }
  if (settings.role === "sentinel" && given.has(ANNOTATION.sentinel)) {
    warnings.push(`${ANNOTATION.sentinel} is ignored: the role is sentinel`);
  }
  if (settings.auth.kind === "none") {
    warnings.push(`${ANNOTATION.auth}: none: a reused pod address can make a foreign server follow this group and lose its data`);
  }
  if (settings.failoverTimeoutMs > 60_000) {
    warnings.push(
      `${ANNOTATION.failoverTimeout}: a failed failover is only tried again after ${(settings.failoverTimeoutMs * 2) / 1_000} s`,
    );
  }
  const replicated = given.get(ANNOTATION.durability) === "replicated";
  if (replicated && settings.minReplicasToWrite === 0) {
    errors.push(
      `${ANNOTATION.minReplicasToWrite}: "0" contradicts ${ANNOTATION.durability}: replicated; use at least 1, or remove one of the two`,
    );
  }
  if (!replicated && settings.minReplicasMaxLagS < 2 && settings.minReplicasToWrite !== 0) {
    warnings.push(`${ANNOTATION.minReplicasMaxLag}: replicas report once a second; under 2s writes can be refused for no reason`);
  }
}

/** What would open a group to everybody, or only look as if it did. */
function checkExposed({ expose, auth, masterService, networkPolicy }: GroupSettings, errors: string[]): void {
  if (expose === undefined) return;
  const what = `${ANNOTATION.expose}: ${quote(expose)}`;
  if (masterService !== undefined)
    errors.push(
      `${what} does not go with ${ANNOTATION.masterService}: that Service is yours, and keeps the type that you give it; remove one of the two`,
    );
  if (auth.kind === "none")
    errors.push(
      `${what} does not go with ${ANNOTATION.auth}: none: everybody who reaches a node would have the data; use generated, or secret:NAME/KEY`,
    );
  if (networkPolicy !== "none")
    errors.push(
      `${what} does not go with ${ANNOTATION.networkPolicy}: ${networkPolicy}: that lets nobody in from outside; use none, and a NetworkPolicy of your own`,
    );
}

/** The person's annotations, with the two labels that stand for annotations. */
function withLabels(annotations: StringMap, labels: StringMap, errors: string[]): Map<string, string> {
  const given = new Map(Object.entries(annotations));
  for (const [key, label] of [
    [ANNOTATION.cluster, LABEL.cluster],
    [ANNOTATION.role, LABEL.role],
  ] as const) {
    const value = Object.hasOwn(labels, label) ? labels[label] : undefined;
    if (value === undefined || (key === ANNOTATION.role && given.has(MARK.status))) continue;
    const annotated = given.get(key);
    if (annotated !== undefined && annotated !== value) {
      errors.push(
        `${key}: the annotation says ${quote(annotated)}, the label of the same name ${quote(value)}; remove one of the two`,
      );
    } else {
      given.set(key, value);
    }
  }
  return given;
}

function optional<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: T };
}

/** A value as it stands in a message: quoted, so that spaces show, and cut, since an annotation can be 256 KiB. */
function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}
