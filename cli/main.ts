#!/usr/bin/env node
/** The one program: the server, and the command line tool. The server's process never loads the code of the commands for people. */

import { createProgram } from "./program.ts";

// No top-level await: the bundle is CommonJS (scripts/bundle.ts).
async function main(): Promise<void> {
  const forPeople = process.argv[2] === "serve" ? [] : (await import("./people.ts")).peopleCommands();
  await createProgram(forPeople).parseAsync();
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
