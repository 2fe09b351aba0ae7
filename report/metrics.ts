/** Every metric of the process, except the webhook's (webhook/metrics.ts adds them to the same registry). Names follow Prometheus' conventions: base units, _total for counters, timestamps in seconds. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

export type Metrics = ReturnType<typeof createMetrics>;

/** From 1 ms (an in-memory decision) to 60 s (a recovery that waits for pods). */
const FAILOVER_BUCKETS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60];
const REQUEST_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** Makes a registry with all metrics at zero. `processMetrics` adds Node's own (memory, event loop lag, …). */
export function createMetrics(options: { processMetrics?: boolean } = {}) {
  const registry = new Registry();
  if (options.processMetrics) collectDefaultMetrics({ register: registry });
  return { registry, ...groupMetrics(registry), ...processMetrics(registry) };
}

function groupMetrics(registry: Registry) {
  const registers = [registry];
  return {
    /** One for each occurrence that was reported; the label is the word of the Event and of the log line. */
    events: new Counter({
      name: "redis_ha_events_total",
      help: "Occurrences by reason (the same word as in Events and in the log).",
      labelNames: ["reason"] as const,
      registers,
    }),
    /**
     * step: detected, paused, equal, voted, promoted, agreed, demoted, patched, endpoint, routed, cut, attached. cause: failover, handover, recovery, bootstrap, sentinel.
     */
    failoverSeconds: new Histogram({
      name: "redis_ha_failover_seconds",
      help: "Time from the beginning of a change of master (a failover: since there was none; a handover: since writes were paused) until each step was done.",
      labelNames: ["step", "cause"] as const,
      buckets: FAILOVER_BUCKETS,
      registers,
    }),
    /** reason: of model/reasons.ts MASTER_CHANGED. */
    masterChanges: new Counter({
      name: "redis_ha_master_changes_total",
      help: "Changes of master by group and reason (FailedOver, HandedOver, Recovered, …).",
      labelNames: ["namespace", "group", "reason"] as const,
      registers,
    }),
    lostBytes: new Counter({
      name: "redis_ha_writes_lost_bytes_total",
      help: "Replication stream that a former master took after another had become master, and that is gone: an estimate of lost writes.",
      labelNames: ["namespace", "group"] as const,
      registers,
    }),
    groups: new Gauge({
      name: "redis_ha_groups",
      help: "Groups by state, as seen by this replica.",
      labelNames: ["state"] as const,
      registers,
    }),
    /** One group's round: reading the facts, deciding, acting. */
    loopSeconds: new Histogram({
      name: "redis_ha_group_loop_seconds",
      help: "Duration of one round of a group's loop, by phase (observe, decide, act).",
      labelNames: ["phase"] as const,
      buckets: REQUEST_BUCKETS,
      registers,
    }),
    /** result: done, conflict, failed. */
    acts: new Counter({
      name: "redis_ha_acts_total",
      help: "Actions that were carried out, by kind and result.",
      labelNames: ["kind", "result"] as const,
      registers,
    }),
    uninjectedPods: new Gauge({
      name: "redis_ha_uninjected_pods",
      help: "Pods with the cluster annotation that run without what the webhook injects.",
      registers,
    }),
  };
}

function processMetrics(registry: Registry) {
  const registers = [registry];
  return {
    certificateExpiry: new Gauge({
      name: "redis_ha_certificate_expiry_timestamp_seconds",
      help: "When the certificate in use ends, as Unix time.",
      labelNames: ["certificate"] as const,
      registers,
    }),
    /** code 0: no answer came. */
    kubeRequests: new Histogram({
      name: "redis_ha_kube_request_seconds",
      help: "Requests to the API server by method and status code (0: no answer).",
      labelNames: ["method", "code"] as const,
      buckets: REQUEST_BUCKETS,
      registers,
    }),
    watchRestarts: new Counter({
      name: "redis_ha_watch_restarts_total",
      help: "Watches that broke and were started again, by kind of object and cause.",
      labelNames: ["kind", "cause"] as const,
      registers,
    }),
    leaseHeld: new Gauge({ name: "redis_ha_lease_held", help: "1 while this replica holds the Lease.", registers }),
    droppedEvents: new Counter({
      name: "redis_ha_kube_events_dropped_total",
      help: "Kubernetes Events that were not written because the queue was full or the API server refused.",
      registers,
    }),
    unhandledErrors: new Counter({
      name: "redis_ha_unhandled_errors_total",
      help: "Errors that reached the process's last line of defence. Each is a bug.",
      registers,
    }),
    buildInfo: new Gauge({
      name: "redis_ha_build_info",
      help: "Always 1; the label says which version runs.",
      labelNames: ["version"] as const,
      registers,
    }),
  };
}
