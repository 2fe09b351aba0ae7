/** `redis-ha explain FILE|POD`: what the webhook would do to a file's objects, or did to a living pod, and why. */
import { existsSync } from "node:fs";
import { Command } from "commander";
import { isNotFound } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import { type InjectFlags, injectOptions } from "../../webhook/config.ts";
import type { JsonObject } from "../../webhook/json.ts";
import { EXIT, ending, Problem } from "../exit.ts";
import { paperOf, print, progress } from "../paper.ts";
import { onCluster, type TargetFlags, withTarget } from "../target.ts";
import { itemsOf, readSource } from "./documents.ts";
import { type Explanation, explainObject, explainPod, renderExplanation } from "./explain.ts";
import { offlineContext } from "./inject-command.ts";

interface Flags extends TargetFlags, InjectFlags {
  diff?: boolean;
  settings?: boolean;
}

export function explainCommand(): Command {
  const command = withTarget(new Command("explain").argument("<what...>", "YAML files (- is standard input), or pods"))
    .description("say what the webhook would put into the pods of a file, or has put into a living pod, and why")
    .option("--diff", "also the difference, line by line")
    .option("--settings", "also every setting with its value or default");
  for (const option of injectOptions()) command.addOption(option);
  return command.action((what: string[], flags: Flags) =>
    ending(async () => {
      const explanations: Explanation[] = [];
      for (const one of what) explanations.push(...(isFile(one) ? fromFile(one, flags) : [await fromPod(one, flags)]));
      const style = { diff: flags.diff === true, settings: flags.settings === true };
      print(explanations.flatMap((one, at) => [...(at === 0 ? [] : [""]), ...renderExplanation(one, style, paperOf())]));
      return explanations.some(({ errors }) => errors.length > 0) ? EXIT.refused : EXIT.ok;
    }),
  );
}

const isFile = (what: string): boolean => what === "-" || existsSync(what) || /\.ya?ml$/.test(what);

function fromFile(file: string, flags: Flags): Explanation[] {
  const context = offlineContext(flags.namespace ?? "default", flags);
  return itemsOf(readSource(file)).flatMap(({ object, what, shape }) =>
    shape === undefined ? [] : [explainObject(object, what, shape, context)],
  );
}

async function fromPod(name: string, flags: Flags): Promise<Explanation> {
  return await onCluster(flags, async ({ kube, namespace = "default" }) => {
    try {
      return explainPod(await progress(`reading pod ${name}`, kube.get<JsonObject>(PATH.pods(namespace, name))));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      throw new Problem(`there is no pod ${name} in namespace ${namespace}, and no file of that name`);
    }
  });
}
