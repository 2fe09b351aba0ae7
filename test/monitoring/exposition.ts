/** What the program exposes, from its own registry: all metrics of the process, the webhook and one group, but for those of Node itself. */

import { registerGroupMetrics } from "../../handlers/group-metrics.ts";
import { decide, freshMemory } from "../../handlers/policies/decide.ts";
import { createMetrics } from "../../report/metrics.ts";
import { registerWebhookMetrics } from "../../webhook/metrics.ts";
import { expand, START } from "../scenarios/expand.ts";

export async function exposition(): Promise<string> {
  const metrics = createMetrics();
  registerWebhookMetrics(metrics.registry);
  const facts = expand({
    redis: { a: "master 1000", b: "replica a 1000", c: "replica a 900" },
    sentinels: { a: "a 7", b: "a 7", c: "a 7" },
    service: { selects: "a", record: "a epoch 7" },
  });
  const plan = decide(facts, freshMemory(START));
  registerGroupMetrics(metrics.registry, () => [{ group: facts.group, facts, plan, timelines: [] }]);
  return await metrics.registry.metrics();
}
