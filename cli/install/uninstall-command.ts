/** `redis-ha uninstall`: removes redis-ha, leaves every Redis running, and says what stays. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { isNotFound } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { KubeObject, Pod } from "../../kube/types.ts";
import { SERVER_LABELS, SYSTEM_NAMESPACE } from "../../model/names.ts";
import { EXIT, ending, Problem } from "../exit.ts";
import { SERVER_PODS } from "../handlers.ts";
import { confirm, paperOf, print, progress } from "../paper.ts";
import { readStatus } from "../status/read.ts";
import type { GroupStatus } from "../status/status.ts";
import { onCluster, requireUsualPlace, type Target, type TargetFlags, withCluster } from "../target.ts";
import { manifests, pathOf } from "./manifests.ts";
import { untilNotGoing } from "./namespace.ts";

interface Flags extends TargetFlags {
  yes?: boolean;
}

/** Its pods answer for some seconds after they were told to end, ms. */
const ENDED_MS = 60_000;
const GONE_MS = 120_000;
const EVERY_MS = 300;

export function uninstallCommand(): Command {
  return withCluster(new Command("uninstall"))
    .description("remove redis-ha from the cluster; every Redis goes on running; says what stays")
    .option("-y, --yes", "do not ask")
    .action((flags: Flags) =>
      ending(async () => {
        requireUsualPlace(flags);
        return await onCluster(flags, async (target) => {
          const groups = await progress("asking the handlers", readStatus({ ...target, namespace: undefined }));
          print(consequences(groups));
          if (flags.yes !== true && !(await confirm("Remove redis-ha?")))
            throw new Problem("not done (--yes does it without asking)", EXIT.refused);
          await remove(target);
          await untilNotGoing(target.kube, GONE_MS);
          print(`${paperOf().green("removed")}; redis-ha install brings it back, and it finds the groups again`);
          return EXIT.ok;
        });
      }),
    );
}

/** What is told before anything is removed. Pure. */
export function consequences(groups: readonly GroupStatus[]): string[] {
  if (groups.length === 0) return ["There are no groups: nothing stays."];
  const objects = groups.map(
    ({ namespace, cluster, service, master }) =>
      `  ${namespace}/${cluster}: Services ${service}, ${cluster}-replicas, ${cluster}-sentinel, the password Secret; Service ${service} → ${master ?? "nobody"}`,
  );
  return [
    `${groups.length} groups stay, and every Redis and sentinel of them goes on running:`,
    ...objects,
    "What is gone without redis-ha:",
    "  - Sentinel still fails over, but the Services do not move: they go on leading to the pods above",
    "  - new pods of these workloads come up as plain, empty servers: do not restart, scale or drain them",
    "  - new pods that carry a readiness gate are never Ready; deleted masters are not handed over",
    'To take a group apart first, without a lost write: docs/adoption.md, "Back".',
  ];
}

/**
 * The webhook first: while its server goes away, no pod of anybody may be refused. Then the server, which needs its rights until it has ended: it gives its
 * Lease back. The namespace last.
 */
const ORDER: Readonly<Record<string, number>> = { MutatingWebhookConfiguration: 0, Deployment: 1, Namespace: 3 };
const LAST = "Namespace";

async function remove(target: Target): Promise<void> {
  const rank = ({ kind = "" }: KubeObject): number => ORDER[kind] ?? 2;
  for (const object of manifests().sort((a, b) => rank(a) - rank(b))) {
    if (object.kind === LAST && (await othersLiveThere(target))) {
      print(`  ${object.kind} ${object.metadata?.name} stays: pods that are not of redis-ha run in it`);
      continue;
    }
    try {
      await target.kube.remove(pathOf(object));
      print(`  ${object.kind} ${object.metadata?.name}`);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    if (object.kind === "Deployment") await progress("waiting until its pods have ended", untilEnded(target));
  }
}

/** One that does not end in time (its node is gone) does not keep redis-ha installed. */
async function untilEnded({ kube }: Target): Promise<void> {
  const deadline = performance.now() + ENDED_MS;
  while (
    performance.now() < deadline &&
    (await kube.list<Pod>(PATH.pods(SYSTEM_NAMESPACE), { query: SERVER_PODS })).items.length > 0
  )
    await sleep(EVERY_MS);
}

async function othersLiveThere({ kube }: Target): Promise<boolean> {
  const { items } = await kube.list<Pod>(PATH.pods(SYSTEM_NAMESPACE));
  const [[key, value] = ["", ""]] = Object.entries(SERVER_LABELS);
  return items.some(({ metadata }) => metadata?.labels?.[key] !== value);
}
