/** What the webhook counts. Labels have few values, so that a busy cluster does not make many series. */
import { Counter, Histogram, type Registry } from "prom-client";

export interface WebhookMetrics {
  readonly admissions: Counter<"kind" | "outcome">;
  readonly seconds: Histogram<"kind">;
  /** requests that were no valid AdmissionReview */
  readonly malformed: Counter;
  /** our own bugs: answered with 500 */
  readonly failures: Counter;
}

export function registerWebhookMetrics(registry: Registry): WebhookMetrics {
  const registers = [registry];
  return {
    admissions: new Counter({
      name: "redis_ha_admissions_total",
      help: "Admissions by kind of object and outcome (injected, unchanged, skipped, denied).",
      labelNames: ["kind", "outcome"],
      registers,
    }),
    seconds: new Histogram({
      name: "redis_ha_admission_seconds",
      help: "Time from the parsed request to the answer.",
      labelNames: ["kind"],
      buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1],
      registers,
    }),
    malformed: new Counter({
      name: "redis_ha_admission_malformed_total",
      help: "Requests that were no valid AdmissionReview of admission.k8s.io/v1.",
      registers,
    }),
    failures: new Counter({
      name: "redis_ha_admission_failures_total",
      help: "Admissions that failed by a bug of redis-ha and were answered with HTTP 500.",
      registers,
    }),
  };
}
