/** What the program exposes, from its own registry: all metrics of the process, the webhook and one group, but for those of Node itself. */

import { VERSION } from "../../cli/version.ts";
import { registerGroupMetrics } from "../../handlers/group-metrics.ts";
import { decide, freshMemory } from "../../handlers/policies/decide.ts";
import { createMetrics } from "../../report/metrics.ts";
import { registerWebhookMetrics } from "../../webhook/metrics.ts";
import { expand, type Situation, START } from "../scenarios/expand.ts";

/** A whole group with three pods. */
export const WHOLE: Situation = {
  redis: { a: "master 1000", b: "replica a 1000", c: "replica a 900" },
  sentinels: { a: "a 7", b: "a 7", c: "a 7" },
  service: { selects: "a", record: "a epoch 7" },
};

/** @param certificateUntil of a group with TLS: when its certificate ends, ms since 1970 */
export async function exposition(situation: Situation = WHOLE, certificateUntil?: number): Promise<string> {
  const metrics = createMetrics();
  registerWebhookMetrics(metrics.registry);
  metrics.buildInfo.set({ version: VERSION }, 1);
  metrics.leaseHeld.set(1);
  const facts = expand(situation);
  const plan = decide(facts, freshMemory(START));
  const view = { group: facts.group, facts, plan, timelines: [] };
  registerGroupMetrics(metrics.registry, () => [certificateUntil === undefined ? view : { ...view, certificateUntil }]);
  return await metrics.registry.metrics();
}
