/**
 * `npm run test:chart [-- --cluster NAME]`: the chart under the real helm. It is valid, it renders what kustomize makes, wrong values are refused. With a
 * cluster (one of the cluster tool's, started where it does not run) it is installed, upgraded and removed while a group of Redis lives. The last line is
 * `N passed, N failed`.
 */
import { argv, env } from "node:process";
import { parseArgs } from "node:util";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../../kube/types.ts";
import { CHART } from "../../scripts/chart.ts";
import { comparable } from "../../scripts/comparable.ts";
import { defaultImages, installObjects } from "../../scripts/manifests.ts";
import { buildHelm } from "../cluster/build/helm.ts";
import { run } from "../cluster/process.ts";
import { onCluster } from "./on-cluster.ts";

const { values } = parseArgs({ args: argv.slice(2), options: { cluster: { type: "string" } } });
const NAMESPACE = "redis-ha-system";
let [passed, failed] = [0, 0];

async function check(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
    passed += 1;
    console.log(`passed: ${what}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED: ${what}\n${error instanceof Error ? error.message : String(error)}`);
  }
}

const helm = async (...args: string[]): Promise<string> =>
  (await run(await buildHelm(), args, { env, timeoutMs: 60_000 })).stdout;
const rendered = async (...args: string[]): Promise<KubeObject[]> =>
  parseAllDocuments(await helm("template", "redis-ha", CHART, "-n", NAMESPACE, "--kube-version", "1.37.0", ...args))
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);

function equal(one: unknown, other: unknown, what: string): void {
  const [a, b] = [JSON.stringify(one, null, 1), JSON.stringify(other, null, 1)];
  if (a === b) return;
  const lines = a.split("\n");
  const at = lines.findIndex((line, index) => line !== b.split("\n")[index]);
  throw new Error(
    `${what} differ at:\n${lines.slice(Math.max(0, at - 5), at + 3).join("\n")}\n--- other:\n${b
      .split("\n")
      .slice(Math.max(0, at - 5), at + 3)
      .join("\n")}`,
  );
}

async function refused(set: string, words: RegExp): Promise<void> {
  const answer = await helm("template", "redis-ha", CHART, "--set", set).catch((error: Error) => error.message);
  if (!words.test(answer)) throw new Error(`--set ${set} is not refused: ${answer.slice(0, 300)}`);
}

await check("helm lint --strict", async () => void (await helm("lint", "--strict", CHART)));
await check("it renders the objects that kustomize makes", async () => {
  const wanted = installObjects().filter(({ kind }) => kind !== "Namespace");
  equal([...comparable(await rendered())], [...comparable(wanted)], "chart and kustomize");
});
await check("images, replicas, flags and another namespace go to their places", async () => {
  const set =
    "image.repository=r.example/a,image.tag=v9,bootImage.repository=r.example/b,bootImage.tag=v8,replicas=3,extraArgs={--drain-ms=1},logLevel=debug";
  const text = JSON.stringify(await rendered("--set", set, "-n", "elsewhere"));
  for (const word of [
    '"r.example/a:v9"',
    '"r.example/b:v8"',
    '"replicas":3',
    '"--drain-ms=1"',
    '"debug"',
    '"namespace":"elsewhere"',
  ])
    if (!text.includes(word)) throw new Error(`${word} is not in what is rendered`);
  for (const word of [NAMESPACE, defaultImages().server])
    if (text.includes(word)) throw new Error(`${word} is still in what is rendered`);
});
await check("monitoring brings the rules with Prometheus' own braces", async () => {
  const text = JSON.stringify(await rendered("--set", "monitoring.enabled=true"));
  if (!text.includes("{{ $labels.namespace }}/{{ $labels.group }}")) throw new Error("the braces are lost");
  if (!text.includes('"docs/runbooks.md#redishadown"')) throw new Error("the runbook of RedisHaDown is not named");
  const docs = "https://git.example.org/main/";
  const linked = JSON.stringify(await rendered("--set", `monitoring.enabled=true,monitoring.docs=${docs}`));
  if (!linked.includes(`"${docs}docs/runbooks.md#redishadown"`)) throw new Error("the runbook of RedisHaDown is no link");
});
await check("wrong values are refused, with their names", async () => {
  await refused("replicas=0", /replicas/);
  await refused("imagePolicy=x", /imagePolicy/);
  await refused("extraArgs={serve}", /extraArgs/);
  await refused("monitoring.docs=here", /docs/);
});
if (values.cluster !== undefined) {
  const { cluster } = values;
  await check(
    "installed, upgraded and removed on a real cluster, while a group lives",
    async () => await onCluster(cluster, CHART),
  );
}
process.exitCode = failed > 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed${values.cluster === undefined ? " (not on a cluster: --cluster NAME)" : ""}`);
