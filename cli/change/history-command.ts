/** `redis-ha history GROUP`: every change of master that is still known, with its steps. */
import { Command } from "commander";
import { serviceFact } from "../../handlers/watch/service-fact.ts";
import { MARK } from "../../model/names.ts";
import { mergeTimelines, unpackTimelines } from "../../model/timeline.ts";
import { ending, Problem } from "../exit.ts";
import { askHandlers } from "../handlers.ts";
import { milliseconds, type Paper, paperOf, print, progress, table } from "../paper.ts";
import { masterServiceOf } from "../status/from-kubernetes.ts";
import { groupObjects } from "../status/read.ts";
import { stepLines } from "../status/render.ts";
import { groupName, onCluster, type Target, type TargetFlags, withTarget } from "../target.ts";
import { heldMs } from "./account.ts";
import { type Change, changes } from "./history.ts";

interface Flags extends TargetFlags {
  json?: boolean;
  steps?: boolean;
}

export function historyCommand(): Command {
  return withTarget(new Command("history").argument("<group>", "GROUP or NAMESPACE/GROUP"))
    .description("the changes of master that are still known, the newest first")
    .option("--steps", "each with its steps and their times")
    .option("--json", "for machines")
    .action((group: string, flags: Flags) => ending(() => onCluster(flags, (target) => history(target, group, flags))));
}

async function history(target: Target, text: string, flags: Flags): Promise<undefined> {
  const { found, problem } = await progress("asking the handlers", read(target, text));
  if (flags.json === true) {
    print(JSON.stringify(found, null, 2));
    return;
  }
  const paper = paperOf();
  if (problem !== undefined)
    print(paper.yellow(`! the handlers were not asked; shown is what they wrote on the Service: ${problem}`));
  print(found.length === 0 ? "no change of master is known" : renderHistory(found, paper, flags.steps === true));
}

async function read(target: Target, text: string): Promise<{ found: Change[]; problem: string | undefined }> {
  const group = groupName(text, target);
  const [answer, objects] = await Promise.all([askHandlers(target), groupObjects(target, group.namespace)]);
  const view = answer.ok
    ? answer.groups.find((one) => one.group.namespace === group.namespace && one.group.cluster === group.cluster)
    : undefined;
  const service = masterServiceOf(objects, group);
  if (service === undefined && view === undefined)
    throw new Problem(`there is no group ${group.cluster} in namespace ${group.namespace}; redis-ha status -A shows all groups`);
  const fact = service === undefined ? undefined : serviceFact(service);
  const records = fact === undefined ? [] : [...(fact.record === undefined ? [] : [fact.record]), ...fact.history];
  // The handlers keep their accounts on the Service too: they are there while nobody answers.
  const kept = unpackTimelines(service?.metadata?.annotations?.[MARK.timelines]);
  const timelines = mergeTimelines(view?.timelines ?? [], kept);
  return { found: changes(timelines, records), problem: answer.ok ? undefined : answer.why };
}

export function renderHistory(found: readonly Change[], paper: Paper, steps: boolean): string[] {
  const rows = found.map(({ at, from, to, reason, timeline }) => [
    at,
    timeline?.kind ?? "-",
    `${from || "nobody"} → ${to || "nobody"}`,
    reason,
    timeline === undefined ? "-" : milliseconds(timeline.steps.at(-1)?.ms ?? 0),
    timeline === undefined || heldMs(timeline) === undefined ? "-" : milliseconds(heldMs(timeline) ?? 0),
    timeline?.outcome ?? "-",
    timeline?.cause ?? "",
  ]);
  const lines = table([["WHEN", "KIND", "MASTER", "REASON", "TOOK", "WRITES HELD", "OUTCOME", "CAUSE"].map(paper.dim), ...rows]);
  if (!steps) return lines;
  const [head = "", ...rest] = lines;
  return [head, ...rest.flatMap((line, index) => [line, ...stepLines(found[index]?.timeline?.steps ?? [], paper)])];
}
