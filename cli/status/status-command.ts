/** `redis-ha status [GROUP]`: what is master, why, since when, and what to do. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { ending } from "../exit.ts";
import { PLAIN, paperOf, print, progress } from "../paper.ts";
import { groupName, onCluster, type Target, type TargetFlags, withTarget } from "../target.ts";
import { readGroup, readStatus } from "./read.ts";
import { renderGroup, renderList } from "./render.ts";
import type { GroupStatus } from "./status.ts";

interface Flags extends TargetFlags {
  watch?: boolean;
  json?: boolean;
}

const WATCH_MS = 1000;
const CLEAR = "\u001b[H\u001b[2J";

export function statusCommand(): Command {
  return withTarget(new Command("status").argument("[group]", "GROUP or NAMESPACE/GROUP"), true)
    .description("show groups: master, replicas, lag, sentinels, the last change of master, and what to do")
    .option("-w, --watch", "go on until ^C, looking every second")
    .option("--json", "for machines")
    .action((group: string | undefined, flags: Flags) =>
      ending(async () => {
        await onCluster(flags, async (target) =>
          flags.watch === true ? await watch(target, group, flags) : await once(target, group, flags),
        );
        return undefined;
      }),
    );
}

async function once(target: Target, group: string | undefined, flags: Flags): Promise<void> {
  print(render(await progress("asking the handlers", read(target, group)), group, flags, target));
}

async function read(target: Target, group: string | undefined): Promise<GroupStatus[]> {
  return group === undefined ? await readStatus(target) : [await readGroup(target, groupName(group, target))];
}

function render(groups: readonly GroupStatus[], group: string | undefined, flags: Flags, target: Target): string {
  if (flags.json === true) return JSON.stringify(groups, null, 2);
  const paper = paperOf();
  if (groups.length === 0) return nothing(target);
  const only = groups[0];
  return (
    group !== undefined && only !== undefined ? renderGroup(only, paper, Date.now()) : renderList(groups, paper, Date.now())
  ).join("\n");
}

const nothing = ({ namespace }: Target): string =>
  namespace === undefined
    ? "there is no group; annotate a Deployment: kubectl annotate deployment NAME redis-ha.io/cluster=NAME"
    : `there is no group in namespace ${namespace}; redis-ha status -A shows all of them`;

/** On a terminal the picture is drawn anew; into a pipe only what has changed is written. An error is shown and tried again. */
async function watch(target: Target, group: string | undefined, flags: Flags): Promise<void> {
  let before = "";
  for (;;) {
    const groups = await read(target, group).catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    const text = typeof groups === "string" ? groups : render(groups, group, flags, target);
    const essence = typeof groups === "string" ? groups : essential(groups);
    if (process.stdout.isTTY === true) print(`${CLEAR}${text}\n\n${new Date().toISOString()}, ^C ends`);
    else if (essence !== before) print(text);
    before = essence;
    await sleep(WATCH_MS);
  }
}

/** Without what changes all the time. */
function essential(groups: readonly GroupStatus[]): string {
  const still = groups.map((group) => ({
    ...group,
    seenAt: 0,
    pods: group.pods.map((pod) => ({ ...pod, offset: 0, lagBytes: 0, keys: 0 })),
  }));
  return still
    .flatMap((group) => [
      group.masterSince ?? "",
      ...renderGroup({ ...group, masterSince: undefined, last: undefined }, PLAIN, 0),
    ])
    .join("\n");
}
