/** `redis-ha switchover GROUP [--to POD]`: shows the plan, asks, and follows it. */
import { Command } from "commander";
import { REQUEST } from "../../model/names.ts";
import { EXIT, ending, Problem } from "../exit.ts";
import { confirm, paperOf, print, progress } from "../paper.ts";
import { stepLines } from "../status/render.ts";
import { groupName, onCluster, type Target, type TargetFlags, withTarget } from "../target.ts";
import { costLines } from "./account.ts";
import { ask, type Followed, factsOf, follow, viewOf } from "./follow.ts";
import { planSwitchover, type SwitchoverPlan } from "./switchover-plan.ts";

interface Flags extends TargetFlags {
  to?: string;
  yes?: boolean;
  dryRun?: boolean;
  timeout: string;
}

export function switchoverCommand(): Command {
  return withTarget(new Command("switchover").argument("<group>", "GROUP or NAMESPACE/GROUP"))
    .description("hand the master over to a replica without losing a write")
    .option("--to <pod>", "this replica (default: the best one)")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "only show the plan")
    .option("--timeout <seconds>", "how long to wait", "60")
    .action((group: string, flags: Flags) => ending(() => onCluster(flags, (target) => switchover(target, group, flags))));
}

async function switchover(target: Target, text: string, flags: Flags): Promise<number | undefined> {
  const group = groupName(text, target);
  const before = await progress("asking the handlers", viewOf(target, group));
  const facts = factsOf(before);
  const plan = planSwitchover(facts, flags.to);
  if (typeof plan === "string") throw new Problem(plan, EXIT.refused);
  print(plan.lines);
  if (flags.dryRun === true) return EXIT.ok;
  if (flags.yes !== true && !(await confirm("Do it?")))
    throw new Problem("not done (--yes does it without asking)", EXIT.refused);

  const { from } = plan;
  const oldUid = facts.masterService?.record?.uid;
  await ask(target, group, plan.service, REQUEST.handover, plan.request);
  const following = follow({
    target,
    group,
    service: plan.service,
    before,
    withinMs: Number(flags.timeout) * 1000,
    say: (line) => print(`  ${line}`),
    reached: ({ masterService }) => {
      const record = masterService?.record;
      if (record === undefined || record.uid === oldUid || record.pod === from) return undefined;
      return flags.to === undefined || record.pod === flags.to ? record.pod : undefined;
    },
  });
  print(result(plan, await progress(`waiting for the hand-over of ${text}`, following)));
  return EXIT.ok;
}

function result({ from }: SwitchoverPlan, { to, timeline, events }: Followed): string[] {
  const paper = paperOf();
  return [
    `${paper.green("done")}: ${to} took over from ${from}`,
    ...stepLines(timeline?.steps ?? [], paper),
    ...costLines(timeline, events).map((line) => `  ${line}`),
  ];
}
