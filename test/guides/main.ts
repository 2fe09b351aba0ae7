/**
 * `npm run guides`: runs the command blocks of all guides on a real cluster, which is made for it and removed afterwards.
 * `-- --cluster NAME` takes one of the cluster tool's that runs already; `--only docs/quickstart.md` one guide. The last line is `N passed, N failed`.
 */
import { argv } from "node:process";
import { parseArgs } from "node:util";
import { down, up } from "../cluster/cluster.ts";
import { listClusters } from "../cluster/state.ts";
import { type Bed, connectBed, installFromSources } from "../e2e/lib/bed.ts";
import { makeNamespace, removeNamespace } from "../e2e/lib/namespace.ts";
import { messageOf } from "../e2e/lib/wait.ts";
import { GUIDES } from "./guides.ts";
import { runGuide } from "./run.ts";

const IMAGES = ["docker.io/library/redis:7", "docker.io/library/redis:8"];

const { values } = parseArgs({
  args: argv.slice(2),
  options: { cluster: { type: "string", default: "guides" }, only: { type: "string", multiple: true } },
});
const { cluster, only } = values;
const unknown = (only ?? []).filter((file) => !GUIDES.some((guide) => guide === file));
if (unknown.length > 0) throw new Error(`${unknown.join(", ")}: the guides are ${GUIDES.join(", ")}`);

/** Returns what went wrong; undefined when all is as the guide says. */
async function check(bed: Bed, file: string): Promise<string | undefined> {
  const namespace = await makeNamespace(bed);
  const began = performance.now();
  try {
    const { run, notRun } = await runGuide(file, { cluster, namespace });
    for (const line of notRun) console.log(`  ${line}`);
    console.log(`passed: ${file}, ${run} blocks, ${Math.round((performance.now() - began) / 1000)} s`);
    return undefined;
  } catch (error) {
    return messageOf(error);
  } finally {
    await removeNamespace(bed, namespace);
  }
}

const ranBefore = listClusters().some(({ name }) => name === cluster);
/** Also where somebody ends the run. */
const leave = async (): Promise<void> => (ranBefore ? undefined : await down({ name: cluster }));
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => {
    console.log(`ended by ${signal}`);
    void leave().finally(() => process.exit(1));
  });
let [passed, failed] = [0, 0];
try {
  await up({ name: cluster, images: IMAGES });
  const bed = connectBed({ cluster });
  await installFromSources(bed, cluster);
  for (const file of GUIDES.filter((guide) => only?.includes(guide) ?? true)) {
    const problem = await check(bed, file);
    if (problem === undefined) passed += 1;
    else {
      failed += 1;
      console.log(`FAILED: ${problem}`);
    }
  }
  bed.close();
} finally {
  await leave();
}
process.exitCode = failed > 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed`);
