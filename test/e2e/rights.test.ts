/**
 * The rights that the manifests give, beside what the whole run has used, by the API server's audit log. This file runs after all others
 * (lib/last.ts); alone it can only look at what a cluster that was kept (REDIS_HA_KEEP=1) has seen.
 */
import { expect } from "vitest";
import { SYSTEM } from "./lib/bed.ts";
import { askedBy, grantedBy, unusedOf } from "./lib/rights.ts";
import { test } from "./lib/scenario.ts";
import { say } from "./lib/wait.ts";

test("nothing was denied to redis-ha, and no right of its roles is unused", async ({ bed }) => {
  if (!("cluster" in bed.where)) throw new Error("only a cluster of the cluster tool has an audit log");
  const asked = await askedBy(SYSTEM, bed.where.cluster);
  const requests = [...asked.used.values()].reduce((sum, count) => sum + count, 0);
  say(`${requests} requests of redis-ha with ${asked.used.size} rights`);
  expect(requests).toBeGreaterThan(0);
  expect([...asked.denied].map(([right, example]) => `${right} was denied: ${example}; add it to a role`)).toEqual([]);
  expect(unusedOf(grantedBy("base/cluster-role.yaml", "base/role.yaml"), asked)).toEqual([]);
});
