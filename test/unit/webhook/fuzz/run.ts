/**
 * The long fuzzing: npm run fuzz:webhook [-- RUNS]. 100,000 mutated reviews in process, then raw bytes over TLS; ends with an error when anything was not as
 * it must be. The seed is printed: SEED=… repeats a run.
 */
import type { AddressInfo } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { Registry } from "prom-client";
import { silentLog } from "../../../../report/log.ts";
import { injectConfig } from "../../../../webhook/config.ts";
import { registerWebhookMetrics } from "../../../../webhook/metrics.ts";
import { createWebhook } from "../../../../webhook/server.ts";
import { createAuthority } from "../certificate.ts";
import { connect } from "../client.ts";
import { review } from "../review.ts";
import { redisPod } from "../support.ts";
import { type Judged, judge } from "./judge.ts";
import { mutated, mutations } from "./mutate.ts";
import { rawCases, sendRaw, UNFINISHED } from "./raw.ts";

const RUNS = Number(process.argv[2] ?? 100_000);
/** Longer than the server waits for the rest of a request. */
const GIVEN_UP_MS = 30_000;
const RAW_ROUNDS = Math.max(1, Math.round(RUNS / 5000));
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const heapMiB = (): number => {
  collect();
  return Math.round((process.memoryUsage().heapUsed / 2 ** 20) * 10) / 10;
};

const outcomes: Partial<Record<Judged, number>> = {};
let slowestMs = 0;
const count = Math.ceil(RUNS / 10);
console.log(`seed ${seed}`);
const heap: number[] = [];
for (let part = 0; part < 10; part += 1) {
  fc.assert(
    fc.property(mutations, ({ base, list }) => {
      const text = mutated(base, list);
      // Its own CPU time: the machine may be busy with other things.
      const before = process.threadCpuUsage();
      const outcome = judge(text);
      const { user, system } = process.threadCpuUsage(before);
      slowestMs = Math.max(slowestMs, (user + system) / 1000);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }),
    { numRuns: count, seed: seed + part },
  );
  heap.push(heapMiB());
}
console.log(`${count * 10} mutated reviews, no crash: ${JSON.stringify(outcomes)}`);
console.log(`slowest ${slowestMs.toFixed(1)} ms; heap after each tenth, MiB: ${heap.join(" ")}`);

const authority = await createAuthority();
const pair = await authority.issue("localhost");
const registry = new Registry();
const metrics = registerWebhookMetrics(registry);
const webhook = createWebhook({ tls: () => pair, config: injectConfig("0.1.0"), logger: silentLog(), metrics });
await webhook.app.listen({ port: 0, host: "localhost" });
const target = { port: (webhook.app.server.address() as AddressInfo).port, ca: authority.ca };
const good = JSON.stringify(review(redisPod()));
const statuses: Record<string, number> = {};
const before = heapMiB();
const rss = (): number => Math.round(process.memoryUsage().rss / 2 ** 20);
let rssEarly = 0;
let sent = 0;
for (let round = 0; round < RAW_ROUNDS; round += 1) {
  // In the first round the unfinished ones are waited for, to see that the server gives them up by itself.
  const answers = await Promise.all(
    Object.entries(rawCases(good)).map(async ([name, parts]) => {
      const waitMs = !UNFINISHED.has(name) ? undefined : round === 0 ? GIVEN_UP_MS : 200;
      return { name, status: await sendRaw(target, parts, waitMs) };
    }),
  );
  for (const { name, status } of answers) {
    sent += 1;
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status >= 500) throw new Error(`${name}: ${status}`);
    if (status === 0 && !UNFINISHED.has(name)) throw new Error(`${name}: no answer`);
    if (round === 0 && UNFINISHED.has(name) && status !== 408) throw new Error(`${name}: ${status}, the server still waits`);
  }
  if (round === Math.floor(RAW_ROUNDS / 4)) rssEarly = rss();
}
const client = connect(webhook, authority.ca);
const { status } = await client.post("/mutate/pods", good);
client.close();
const failures = (await metrics.failures.get()).values[0]?.value ?? 0;
await webhook.app.close();
console.log(
  `${sent} raw requests, statuses ${JSON.stringify(statuses)} (0: hung up); heap ${before} → ${heapMiB()} MiB, resident ${rssEarly} → ${rss()} MiB`,
);
console.log(`afterwards a good review: ${status}; failures counted: ${failures}`);
const [first = 0, last = 0] = [heap[1], heap.at(-1)];
if (status !== 200 || failures !== 0) throw new Error("the server is not as it was");
if (last > first * 1.5 + 5) throw new Error("the memory grows");
if (heapMiB() > before * 1.5 + 5) throw new Error("the memory grows with raw requests");
const { user, system } = process.cpuUsage();
console.log(`CPU of all this: ${((user + system) / 1e6).toFixed(0)} s`);
