/**
 * npm run soak -- [--minutes 30] [--seed N] [--image redis:7] [--json FILE] [--cluster soak] [--keep]
 * Random faults, one every 5 to 20 s, on three groups under traffic; what was acknowledged is looked up, the invariants are judged, and the handlers' memory and
 * connections have to stay flat. The same seed draws the same faults. `--table FILE`: no run; the report of --json, written between the markers of FILE.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { SYSTEM_NAMESPACE } from "../../model/names.ts";
import { down, up } from "../../test/cluster/cluster.ts";
import { fullName } from "../../test/cluster/images/catalog.ts";
import { DEFAULT_KUBERNETES } from "../../test/cluster/versions.ts";
import { commit } from "../../test/e2e/lib/commit.ts";
import { diagnose } from "../../test/e2e/lib/diagnose.ts";
import { messageOf, say, waitUntil } from "../../test/e2e/lib/wait.ts";
import { Random } from "../../test/simulation/world/random.ts";
import { EXPECTED } from "../failover/ours.ts";
import { Site } from "../failover/site.ts";
import { type Episode, runEpisode } from "./episode.ts";
import { judgeFlat } from "./flat.ts";
import { KINDS, SoakGroup } from "./groups.ts";
import { HandlersWatch } from "./handlers.ts";
import { report, type SoakResults, whatBroke, writeReport } from "./report.ts";

/** Three for the groups, one for the clients. */
const NODES = 4;
const WHOLE_MS = 120_000;
/** Handlers are killed only in the first part: what is judged is a process that lives through the rest. */
const KILLING_PART = 0.35;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    seed: { type: "string", default: String(Math.floor(Date.now() / 1000) % 100_000) },
    image: { type: "string", default: "redis:7" },
    json: { type: "string" },
    table: { type: "string" },
    cluster: { type: "string", default: "soak" },
    keep: { type: "boolean", default: false },
  },
});

if (values.table !== undefined) {
  if (values.json === undefined) throw new Error("--table needs --json, the results of a soak");
  writeReport(values.table, JSON.parse(readFileSync(values.json, "utf8")) as SoakResults);
  process.exit();
}

let stopping = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    if (stopping) process.exit(130);
    stopping = true;
    say(`${signal}: ends after this episode. Once more: at once`);
  });
}

const image = fullName(values.image);
await up({ name: values.cluster, nodes: NODES, images: [image], restartBackoffMaxS: 1 });
const site = await Site.open(values.cluster, image);
const results: SoakResults = {
  about: {
    date: new Date().toISOString().slice(0, 10),
    commit: commit(),
    minutes: values.minutes,
    seed: values.seed,
    image,
    kubernetes: DEFAULT_KUBERNETES,
    cores: availableParallelism(),
  },
  episodes: [],
  handlers: [],
};
try {
  await soak();
} catch (error) {
  say(await diagnose(site.bed, SYSTEM_NAMESPACE, []).catch(messageOf));
  throw error;
} finally {
  site.bed.close();
  if (!values.keep) await down({ name: values.cluster });
}
console.log(report(results));
process.exitCode = results.episodes.length > 0 && isFine() ? 0 : 1;

async function soak(): Promise<void> {
  const groups: SoakGroup[] = [];
  for (const kind of KINDS) groups.push(await SoakGroup.make(site, kind));
  await Promise.all(groups.map(untilWhole));
  const random = new Random(Number(values.seed), 11);
  const watch = new HandlersWatch(site.bed, site.cluster);
  const ms = Number(values.minutes) * 60_000;
  const startedAt = Date.now();
  const nodes = site.groupNodes;
  for (let number = 1; Date.now() - startedAt < ms && !stopping; number += 1) {
    const handlersMayDie = Date.now() - startedAt < ms * KILLING_PART;
    watch.calm = false;
    const episode = await runEpisode({ number, groups, nodes, cluster: site.cluster, random, handlersMayDie });
    watch.calm = true;
    results.episodes.push(episode);
    tell(episode);
    if (!held(episode))
      for (const group of groups) say(await diagnose(site.bed, group.namespace, [group.group]).catch(messageOf));
    // A group that did not come back would only spoil what follows.
    await Promise.all(groups.map(untilWhole));
    await new Promise((resolve) => setTimeout(resolve, 6000));
    save();
  }
  const lives = await watch.stop();
  results.handlers = lives.map(({ pod, samples }) => ({
    pod,
    minutes: Math.round(((samples.at(-1)?.at ?? 0) - (samples[0]?.at ?? 0)) / 60_000),
    flat: judgeFlat(samples),
    samples,
  }));
  save();
}

async function untilWhole(group: SoakGroup): Promise<void> {
  await waitUntil(`${group.kind.name}: a whole group`, WHOLE_MS, async () => await group.group.whole(EXPECTED, { lists: false }));
}

function held({ groups }: Episode): boolean {
  return groups.every(({ inv1, inv2, inv3 }) => inv1 && inv2 && inv3);
}

/** All invariants, and at least one handler that was judged and was flat. */
function isFine(): boolean {
  const judged = results.handlers.flatMap(({ flat }) => flat ?? []);
  const flat = judged.every(({ memoryFlat, connectionsFlat }) => memoryFlat && connectionsFlat);
  return results.episodes.every(held) && flat && (judged.length > 0 || Number(values.minutes) < 15);
}

function tell({ number, struck, missed, groups }: Episode): void {
  say(
    `episode ${number}: ${struck.length} faults, load ${loadavg()[0]?.toFixed(1)}${missed.length > 0 ? `; not made: ${missed.join("; ")}` : ""}`,
  );
  for (const one of groups) {
    const broke = whatBroke(one);
    say(
      `  ${one.kind}: ${one.lost} of ${one.acked} lost (may ${one.allowedLoss}), gap ${Math.round(one.gapMs)} ms, two writable ${Math.round(one.twoWritableMs)} ms, ` +
        `whole after ${one.convergedMs ?? "?"} ms${broke === "" ? "" : ` BROKEN ${broke}`}`,
    );
  }
}

function save(): void {
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 1)}\n`);
}
