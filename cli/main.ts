#!/usr/bin/env node
/** The one program: the server, and the command line tool. Subcommands load what they need only when they run. */

import { Command } from "commander";
import { serveCommand } from "./serve-command.ts";
import { VERSION } from "./version.ts";

const program = new Command("redis-ha")
  .description("Annotate a plain Deployment of Redis or Valkey, and it becomes a highly available group.")
  .version(VERSION, "-v, --version", "print the version")
  .showHelpAfterError("(redis-ha --help tells more)")
  .addCommand(serveCommand());

program
  .command("version")
  .description("print the version")
  .action(() => console.log(VERSION));

// No top-level await: the bundle is CommonJS (scripts/bundle.ts).
program.parseAsync().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
