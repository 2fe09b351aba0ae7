/** The program and its commands. */
import { Command } from "commander";
import { serveCommand } from "./serve-command.ts";
import { VERSION } from "./version.ts";

/** `kubectl redis-ha` looks for `kubectl-redis_ha` on PATH; the program calls itself by this name in both cases. */
export const NAME = "redis-ha";

export function createProgram(commands: readonly Command[]): Command {
  const program = new Command(NAME)
    .description("Annotate a plain Deployment of Redis or Valkey, and it becomes a highly available group.")
    .version(VERSION, "-v, --version", "print the version")
    .showHelpAfterError("(redis-ha --help tells more)");
  for (const command of commands) program.addCommand(command);
  program.addCommand(serveCommand());
  program
    .command("version")
    .description("print the version")
    .action(() => console.log(VERSION));
  return program;
}
