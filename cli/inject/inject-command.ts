/** `redis-ha inject` and `redis-ha uninject`: YAML in, YAML out, without a cluster. */
import { Command } from "commander";
import { type InjectFlags, injectConfig, injectOptions } from "../../webhook/config.ts";
import type { InjectContext } from "../../webhook/inject/pod.ts";
import { EXIT, ending } from "../exit.ts";
import { VERSION } from "../version.ts";
import { readSource, type Source } from "./documents.ts";
import { annotationsOf, injectText, type Rewritten, uninjectText } from "./rewrite.ts";

interface Flags extends InjectFlags {
  cluster?: string;
  set: string[];
  full?: boolean;
  namespace: string;
}

const collect = (value: string, before: string[]): string[] => [...before, value];

/** What the webhook is told by its installation, and what only a running one has. */
export function offlineContext(namespace: string, flags: InjectFlags): InjectContext {
  return { namespace, config: injectConfig(VERSION, flags), random: Math.random, now: Date.now };
}

export function injectCommand(): Command {
  const command = new Command("inject")
    .description("write the annotations into YAML and check them as the webhook would; prints the new YAML")
    .argument("<file...>", "- is standard input")
    .option("--cluster <name>", "the group's name: written into the pod template")
    .option("--set <key=value>", "another setting, as down-after=5s; may be repeated", collect, [])
    .option("--full", "also put in what the webhook puts into each pod (for reviews and policy checks)")
    .option("-n, --namespace <name>", "of the pods", "default");
  for (const option of injectOptions()) command.addOption(option);
  return command.action((files: string[], flags: Flags) =>
    ending(async () => {
      const annotations = annotationsOf(flags.cluster, flags.set);
      const context = offlineContext(flags.namespace, flags);
      return write(files.map(readSource), (source) => injectText(source, { annotations, full: flags.full === true }, context));
    }),
  );
}

export function uninjectCommand(): Command {
  return new Command("uninject")
    .description("take out of YAML all that redis-ha put in, annotations too; prints the new YAML")
    .argument("<file...>", "- is standard input")
    .action((files: string[]) => ending(async () => write(files.map(readSource), uninjectText)));
}

/** YAML to standard output, everything else to standard error; with an error nothing is written. */
function write(sources: readonly Source[], change: (source: Source) => Rewritten): number {
  const all = sources.map(change);
  const say = (mark: string, lines: readonly string[]): void => {
    for (const line of lines) process.stderr.write(`${mark} ${line}\n`);
  };
  say(
    " ",
    all.flatMap(({ notes }) => notes),
  );
  say(
    "!",
    all.flatMap(({ warnings }) => warnings),
  );
  const errors = all.flatMap(({ errors: own }) => own);
  say("error:", errors);
  if (errors.length > 0) return EXIT.refused;
  const texts = all.map(({ text }) => text);
  process.stdout.write(texts.map((text, at) => (at === 0 || text.startsWith("---") ? text : `---\n${text}`)).join(""));
  return EXIT.ok;
}
