/**
 * npm run bench:failover [-- --only kill9,delete,… --runs N --json FILE --writers 8 --cluster NAME --nodes 3]
 * The faults of faults.ts on a real cluster, seen by writers through the master Service.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { up } from "../../test/cluster/cluster.ts";
import { connectBed, EXAMPLES, installFromSources } from "../../test/e2e/lib/bed.ts";
import { ClientPod } from "../../test/e2e/lib/client-pod.ts";
import { Group } from "../../test/e2e/lib/group.ts";
import { say, waitUntil } from "../../test/e2e/lib/wait.ts";
import { FAULTS } from "./faults.ts";
import { type Sample, sample } from "./run.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(FAULTS).join(",") },
    runs: { type: "string", default: "20" },
    json: { type: "string" },
    writers: { type: "string", default: "8" },
    cluster: { type: "string", default: "bench" },
    nodes: { type: "string", default: "3" },
  },
});

function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

function line(name: string, samples: readonly Sample[]): string {
  const gaps = samples.map(({ gapMs }) => gapMs).sort((a, b) => a - b);
  const lost = samples.map(({ lost: one }) => one);
  const whole = samples.map(({ wholeAfterMs }) => wholeAfterMs).sort((a, b) => a - b);
  return [
    name.padEnd(10),
    String(samples.length).padStart(3),
    ...[quantile(gaps, 0.5), quantile(gaps, 0.99), gaps.at(-1) ?? Number.NaN].map((ms) => String(Math.round(ms)).padStart(7)),
    `${lost.reduce((a, b) => a + b, 0)} (worst ${Math.max(...lost)})`.padStart(16),
    String(Math.round(quantile(whole, 0.5))).padStart(9),
  ].join(" ");
}

const cluster = values.cluster;
await up({ name: cluster, nodes: Number(values.nodes) });
const bed = connectBed({ cluster });
await installFromSources(bed, cluster);
const namespace = `bench-${Date.now().toString(36)}`;
await bed.kube.create("/api/v1/namespaces", { metadata: { name: namespace } });
await waitUntil("the service account", 10_000, async () => {
  await bed.kube.get(`/api/v1/namespaces/${namespace}/serviceaccounts/default`);
});
const results: Record<string, Sample[]> = {};
try {
  const client = await ClientPod.start(bed, namespace);
  await bed.kubectl(["-n", namespace, "apply", "-f", `${EXAMPLES}/quickstart.yaml`]);
  const group = new Group(bed, client, namespace);
  for (const name of values.only.split(",")) {
    const fault = FAULTS[name];
    if (fault === undefined) throw new Error(`no fault is called ${name}; there are: ${Object.keys(FAULTS).join(", ")}`);
    const samples: Sample[] = [];
    results[name] = samples;
    for (let run = 0; run < Number(values.runs); run += 1) {
      const one = await sample(group, cluster, fault, Number(values.writers));
      samples.push(one);
      say(
        `${name} ${run + 1}: gap ${Math.round(one.gapMs)} ms, lost ${one.lost} of ${one.acked}, whole after ${one.wholeAfterMs} ms, ` +
          `${one.steps.map(({ step, ms }) => `${step} ${ms}`).join(", ")}; ${JSON.stringify(one.errors)}; ` +
          `gap ${one.gapFrom.slice(11)} to ${one.gapTo.slice(11)}, steps from ${one.stepsFrom.slice(11)}`,
      );
    }
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
  }
} finally {
  // Writers at full speed must not outlive a failed run.
  await bed.kube.remove(`/api/v1/namespaces/${namespace}`);
}
console.log("fault        n     p50     p99   worst     lost writes  whole p50   (gaps in ms)");
for (const [name, samples] of Object.entries(results)) console.log(line(name, samples));
bed.close();
