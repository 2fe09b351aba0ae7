#!/usr/bin/env node
/** The one program: the server, and the command line tool. Subcommands load what they need only when they run. */

import { Command } from "commander";
import { dashboardCommand } from "./dashboard-command.ts";
import { serveCommand } from "./serve-command.ts";
import { VERSION } from "./version.ts";

const program = new Command("redis-ha")
  .description("Annotate a plain Deployment of Redis or Valkey, and it becomes a highly available group.")
  .version(VERSION, "-v, --version", "print the version")
  .showHelpAfterError("(redis-ha --help tells more)")
  .addCommand(dashboardCommand())
  .addCommand(serveCommand());

program
  .command("version")
  .description("print the version")
  .action(() => console.log(VERSION));

await program.parseAsync();
