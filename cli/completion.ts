/**
 * `redis-ha completion SHELL`: a script for bash, zsh or fish, made from the commands themselves; names of groups come from the cluster. For kubectl, whose own
 * completion asks a program `kubectl_complete-redis_ha` on PATH, it is that program.
 */
import { Argument, Command } from "commander";
import { EXIT, ending } from "./exit.ts";
import { print } from "./paper.ts";

export const SHELLS = ["bash", "zsh", "fish", "kubectl"] as const;
type Shell = (typeof SHELLS)[number];

/** Commands whose first word is a group. */
const TAKES_GROUP = "group";

export function completionCommand(): Command {
  return new Command("completion")
    .description(
      "print a completion script, as in: source <(redis-ha completion bash); kubectl: a program for your PATH, kubectl_complete-redis_ha",
    )
    .addArgument(new Argument("<shell>").choices([...SHELLS]))
    .action((shell: Shell, _flags: object, command: Command) =>
      ending(async () => {
        print(completionScript(shell, command.parent ?? command));
        return EXIT.ok;
      }),
    );
}

interface Entry {
  readonly name: string;
  readonly description: string;
  readonly options: readonly { readonly flag: string; readonly description: string }[];
  readonly takesGroup: boolean;
  /** what the first word can be, where that is known */
  readonly choices: readonly string[];
}

function entries(program: Command): Entry[] {
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    options: command.options.flatMap(({ long, description }) => (long == null ? [] : [{ flag: long, description }])),
    takesGroup: command.registeredArguments[0]?.name() === TAKES_GROUP,
    choices: command.registeredArguments[0]?.argChoices ?? [],
  }));
}

/** The script as text; pure. */
export function completionScript(shell: Shell, program: Command): string {
  const name = program.name();
  const all = entries(program);
  if (shell === "fish") return fish(name, all);
  if (shell === "kubectl") return kubectl(name, all);
  const script = bash(name, all);
  return shell === "bash" ? script : `autoload -U +X bashcompinit && bashcompinit\n${script}`;
}

/** `status --json` knows the groups; without a cluster there is nothing to offer, and nothing is said. */
const groupsOf = (name: string): string => `${name} status --json 2>/dev/null | sed -n 's/^    "cluster": "\\(.*\\)",$/\\1/p'`;

function bash(name: string, all: readonly Entry[]): string {
  const cases = all.map(({ name: command, options, takesGroup, choices }) => {
    const flags = options.map(({ flag }) => flag).join(" ");
    const first = takesGroup ? `$(${groupsOf(name)})` : choices.join(" ");
    return `    ${command}) if [[ $word == -* ]]; then words="${flags}"; else words="${first}"; fi ;;`;
  });
  return [
    `_${name.replaceAll("-", "_")}() {`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    '  local word="${COMP_WORDS[COMP_CWORD]}" words=""',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    '  case "${COMP_WORDS[1]}" in',
    ...cases,
    "  esac",
    `  if [[ $COMP_CWORD == 1 ]]; then words="${all.map((one) => one.name).join(" ")}"; fi`,
    '  COMPREPLY=($(compgen -W "$words" -- "$word"))',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    '  if [[ ${#COMPREPLY[@]} == 0 && $COMP_CWORD -gt 1 ]]; then COMPREPLY=($(compgen -f -- "$word")); fi',
    "}",
    `complete -F _${name.replaceAll("-", "_")} ${name}`,
  ].join("\n");
}

/** kubectl calls it with the words after the plugin's name; the last line says that files may follow where there is nothing else. */
const kubectl = (name: string, all: readonly Entry[]): string =>
  [
    "#!/usr/bin/env bash",
    bash(name, all).replaceAll(`$(${name} `, `$(kubectl ${name} `),
    `COMP_WORDS=(${name} "$@") COMP_CWORD=$#`,
    `_${name.replaceAll("-", "_")}`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    "[[ ${#COMPREPLY[@]} == 0 ]] || printf '%s\\n' \"${COMPREPLY[@]}\"",
    "echo :0",
  ].join("\n");

const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

function fish(name: string, all: readonly Entry[]): string {
  return all
    .flatMap(({ name: command, description, options, takesGroup, choices }) => [
      `complete -c ${name} -n __fish_use_subcommand -f -a ${command} -d ${quoted(description)}`,
      ...(takesGroup
        ? [`complete -c ${name} -n '__fish_seen_subcommand_from ${command}' -f -a '(${groupsOf(name).replaceAll("'", "\\'")})'`]
        : []),
      ...(choices.length > 0
        ? [`complete -c ${name} -n '__fish_seen_subcommand_from ${command}' -f -a '${choices.join(" ")}'`]
        : []),
      ...options.map(
        ({ flag, description: text }) =>
          `complete -c ${name} -n '__fish_seen_subcommand_from ${command}' -l ${flag.slice(2)} -d ${quoted(text)}`,
      ),
    ])
    .join("\n");
}
