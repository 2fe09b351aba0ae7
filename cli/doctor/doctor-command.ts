/** `redis-ha doctor`: what is wrong with the installation and the groups, each with the command that mends it. */
import { Command } from "commander";
import { ending } from "../exit.ts";
import { paperOf, print, progress } from "../paper.ts";
import { onCluster, type TargetFlags, withTarget } from "../target.ts";
import { examine, exitCode, renderFindings } from "./examine.ts";
import { gather } from "./gather.ts";

interface Flags extends TargetFlags {
  json?: boolean;
}

export function doctorCommand(): Command {
  return withTarget(new Command("doctor"), true)
    .description("look at the installation and the groups; exit code 0: well, 1: warnings, 2: broken, 3: could not look")
    .option("--json", "for machines")
    .action((flags: Flags) =>
      ending(() =>
        onCluster(flags, async (target) => {
          const facts = await progress("looking", gather(target));
          const findings = examine(facts);
          print(
            flags.json === true
              ? JSON.stringify({ findings, notLookedAt: facts.unread }, null, 2)
              : renderFindings(findings, facts.unread, facts.groups.length, paperOf()),
          );
          return exitCode(findings);
        }),
      ),
    );
}
