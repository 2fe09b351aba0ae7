/** `npm run guides -- --cluster NAME`: runs the command blocks of the guides in a cluster of the cluster tool that has redis-ha installed (`npm test` leaves one with REDIS_HA_KEEP=1). */
import { randomBytes } from "node:crypto";
import { argv } from "node:process";
import { parseArgs } from "node:util";
import { connectBed } from "../e2e/lib/bed.ts";
import { messageOf, waitUntil } from "../e2e/lib/wait.ts";
import { runGuide } from "./run.ts";

const GUIDES = ["docs/quickstart.md"];
const { values } = parseArgs({ args: argv.slice(2), options: { cluster: { type: "string", default: "e2e" } } });
const bed = connectBed({ cluster: values.cluster });
let [passed, failed] = [0, 0];
for (const file of GUIDES) {
  const namespace = `guide-${randomBytes(3).toString("hex")}`;
  await bed.kubectl(["create", "namespace", namespace]);
  try {
    await waitUntil("the service account", 15_000, async () => {
      await bed.kube.get(`/api/v1/namespaces/${namespace}/serviceaccounts/default`);
    });
    console.log(`passed: ${file}, ${await runGuide(file, { cluster: values.cluster, namespace })} blocks`);
    passed += 1;
  } catch (error) {
    console.log(`FAILED: ${messageOf(error)}`);
    failed += 1;
  } finally {
    await bed.kubectl(["delete", "namespace", namespace, "--wait=false"]);
  }
}
bed.close();
process.exitCode = failed > 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed`);
