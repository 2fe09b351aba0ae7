/** Probes, preStop hook and readiness gate of a Redis pod. */
import { ANNOTATION, IN_SYNC_GATE, INJECTED } from "../../model/names.ts";
import { asNumber, asObject, at, field, type Json, type JsonObject, objects, strings } from "../json.ts";
import { DEFAULT_GRACE_S } from "./env.ts";
import type { Patch } from "./patch.ts";
import type { PodView } from "./view.ts";

/** Less than this is hardly enough to pause, catch up and hand over. */
const SHORT_GRACE_S = 10;

/**
 * Probes only where the user has none of that kind. All of them only open a connection: a PING by `exec` would fork in the container several times a
 * minute, need the password, and call LOADING and MASTERDOWN (a replica that waits for its master) dead, although both are as they should be. Whether the
 * data is in sync is said by the readiness gate, and where the master is by the master Service, which waits for neither.
 */
export function injectProbes({ target, settings }: PodView, patch: Patch, warnings: string[]): void {
  const { object, index } = target;
  if (settings.tlsSecret !== undefined) {
    injectTlsProbes(object, index, settings.port, patch, warnings);
    return;
  }
  const tcpSocket = { port: settings.port };
  const wanted: Readonly<Record<string, Json>> = {
    // Holds back the other two until the server listens, which it does before it loads its data; ten minutes for an image with a slow entrypoint.
    startupProbe: { tcpSocket, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 600 },
    readinessProbe: { tcpSocket, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 3 },
    // Slow on purpose: a stalled master is replaced by Sentinel long before, and a server that is restarted while it forks or loads only loses time.
    livenessProbe: { tcpSocket, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  };
  for (const [name, probe] of Object.entries(wanted)) {
    if ((field(object, name) ?? null) === null) patch.set(["spec", "containers", index], object, name, probe);
  }
  if (at(object, "livenessProbe", "exec") !== undefined) {
    warnings.push("the pod's own exec livenessProbe is kept: it must take the errors LOADING and MASTERDOWN for alive");
  }
}

/** Something answers on this port, whatever it says. */
export const aliveProbe = (port: number): JsonObject => ({ exec: { command: [INJECTED.aliveCommand, String(port)] } });

/**
 * With TLS the server logs a warning for every connection that is only opened, so ours ask by the image's own command line tool, and seldom (ADR 0034). No
 * liveness probe: a server that stands still for a minute would be restarted, and a process that ended is seen without one.
 */
function injectTlsProbes(object: JsonObject, index: number, port: number, patch: Patch, warnings: string[]): void {
  const wanted: Readonly<Record<string, Json>> = {
    startupProbe: { ...aliveProbe(port), periodSeconds: 2, timeoutSeconds: 3, failureThreshold: 300 },
    readinessProbe: { ...aliveProbe(port), periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 3 },
  };
  for (const [name, probe] of Object.entries(wanted)) {
    if ((field(object, name) ?? null) === null) patch.set(["spec", "containers", index], object, name, probe);
  }
  for (const name of ["startupProbe", "readinessProbe", "livenessProbe"]) {
    const words = strings(at(object, name, "exec", "command"))?.join(" ") ?? "";
    if (/(redis|valkey)-cli/.test(words) && !words.includes("--tls"))
      warnings.push(`${name}: with ${ANNOTATION.tls} it needs: redis-cli --tls --cacert ${INJECTED.tlsMountPath}/ca.crt`);
  }
}

/** Holds the server until its role has moved. A container has only one preStop hook, and the user's own is never thrown away. */
export function injectPreStop({ pod, target }: PodView, patch: Patch, warnings: string[]): void {
  const { object, index } = target;
  const path = ["spec", "containers", index];
  const lifecycle = field(object, "lifecycle");
  const existing = asObject(field(asObject(lifecycle), "preStop"));
  const hook = { exec: { command: [INJECTED.preStopCommand] } };
  if (existing === undefined) {
    patch.set([...path, "lifecycle"], lifecycle, "preStop", hook);
  } else if (JSON.stringify(at(existing, "exec", "command")) !== JSON.stringify(hook.exec.command)) {
    warnings.push("the pod's own preStop hook is kept: the hand-over at shutdown may come after the server ended");
  }
  const grace = asNumber(at(pod, "spec", "terminationGracePeriodSeconds")) ?? DEFAULT_GRACE_S;
  if (grace < SHORT_GRACE_S)
    warnings.push(`terminationGracePeriodSeconds ${grace} may be too short for a hand-over: use at least ${SHORT_GRACE_S}`);
}

/** Rollouts, drains and disruption budgets then wait for data, not for a ping. */
export function injectReadinessGate({ pod }: PodView, patch: Patch): void {
  const list = at(pod, "spec", "readinessGates");
  const there = objects(list).some(({ object }) => field(object, "conditionType") === IN_SYNC_GATE);
  if (!there) patch.append(["spec", "readinessGates"], list, { conditionType: IN_SYNC_GATE });
}
