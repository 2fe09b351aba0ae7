/** The short form of `npm run fuzz:webhook`. */
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { silentLog } from "../../../report/log.ts";
import { injectConfig } from "../../../webhook/config.ts";
import { registerWebhookMetrics } from "../../../webhook/metrics.ts";
import { createWebhook } from "../../../webhook/server.ts";
import { createAuthority } from "./certificate.ts";
import { connect } from "./client.ts";
import { judge } from "./fuzz/judge.ts";
import { mutated, mutations } from "./fuzz/mutate.ts";
import { rawCases, sendRaw, UNFINISHED } from "./fuzz/raw.ts";
import { review } from "./review.ts";
import { redisPod } from "./support.ts";

test("mutated reviews: an answer to each, and a patch that fits", () => {
  const outcomes = new Set<string>();
  fc.assert(
    fc.property(mutations, ({ base, list }) => void outcomes.add(judge(mutated(base, list)))),
    { numRuns: 3000 },
  );
  expect([...outcomes].toSorted()).toEqual(["denied", "injected", "malformed", "skipped", "unchanged"]);
});

test("raw bytes over TLS: no 5xx, and a good review is answered afterwards", async () => {
  const authority = await createAuthority();
  const pair = await authority.issue("localhost");
  const metrics = registerWebhookMetrics(new Registry());
  const webhook = createWebhook({ tls: () => pair, config: injectConfig("0.1.0"), logger: silentLog(), metrics });
  await webhook.app.listen({ port: 0, host: "localhost" });
  const target = { port: (webhook.app.server.address() as AddressInfo).port, ca: authority.ca };
  const good = JSON.stringify(review(redisPod()));
  const statuses = await Promise.all(
    Object.entries(rawCases(good)).map(
      async ([name, parts]) => [name, await sendRaw(target, parts, UNFINISHED.has(name) ? 300 : undefined)] as const,
    ),
  );
  expect(statuses.filter(([, status]) => status >= 500)).toEqual([]);
  const unanswered = statuses.filter(([name, status]) => status === 0 && !UNFINISHED.has(name));
  expect(unanswered).toEqual([]);
  expect(Object.fromEntries(statuses)).toMatchObject({
    array: 400,
    empty: 400,
    "nested objects": 200,
    "prototype keys": 200,
    huge: 413,
  });
  const client = connect(webhook, authority.ca);
  expect((await client.post("/mutate/pods", good)).status).toBe(200);
  expect((await metrics.failures.get()).values[0]?.value).toBe(0);
  client.close();
  await webhook.app.close();
});
