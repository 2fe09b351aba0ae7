/** `redis-ha promote GROUP POD`: for a halted group; says first what would be lost. */
import { Command } from "commander";
import { findTruth } from "../../handlers/policies/truth.ts";
import { REQUEST } from "../../model/names.ts";
import { EXIT, ending, Problem } from "../exit.ts";
import { confirm, paperOf, print, progress } from "../paper.ts";
import { groupName, onCluster, type Target, type TargetFlags, withTarget } from "../target.ts";
import { ask, factsOf, follow, viewOf } from "./follow.ts";
import { planPromote } from "./promote-plan.ts";

interface Flags extends TargetFlags {
  yes?: boolean;
  dryRun?: boolean;
  timeout: string;
}

export function promoteCommand(): Command {
  return withTarget(
    new Command("promote").argument("<group>", "GROUP or NAMESPACE/GROUP").argument("<pod>", "which becomes master"),
  )
    .description("choose a master by hand for a group that has none (halted); shows what would be lost and asks")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "only show what would be lost")
    .option("--timeout <seconds>", "how long to wait", "60")
    .action((group: string, pod: string, flags: Flags) =>
      ending(() => onCluster(flags, (target) => promote(target, group, pod, flags))),
    );
}

async function promote(target: Target, text: string, pod: string, flags: Flags): Promise<number | undefined> {
  const group = groupName(text, target);
  const before = await progress("asking the handlers", viewOf(target, group));
  const facts = factsOf(before);
  const plan = planPromote(facts, pod);
  if (typeof plan === "string") throw new Problem(plan, EXIT.refused);
  print(plan.lines);
  if (flags.dryRun === true) return EXIT.ok;
  if (flags.yes !== true && !(await confirm(`Make ${pod} the master, and lose this?`)))
    throw new Problem("not done (--yes does it without asking)", EXIT.refused);
  await ask(target, group, plan.service, REQUEST.promote, pod);
  const following = follow({
    target,
    group,
    service: plan.service,
    before,
    withinMs: Number(flags.timeout) * 1000,
    say: (line) => print(`  ${line}`),
    // Not by the record: the last master's own pod may be chosen again, and then the record names it already.
    reached: (facts) => {
      const truth = findTruth(facts);
      return truth.kind === "confirmed" && truth.member.pod.name === pod ? pod : undefined;
    },
  });
  const { timeline } = await progress(`waiting until ${pod} is master`, following);
  print(`${paperOf().green("done")}: ${pod} is master${timeline === undefined ? "" : ` (${timeline.cause})`}`);
  return EXIT.ok;
}
