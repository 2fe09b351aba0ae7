/**
 * One process in the network of one pod: does its redis take writes? Asked every few milliseconds, from inside, so that a partition does not hide it.
 * Prints one line per change: `<ms since 1970> <1 or 0>`; what is printed as 0 was last seen writable at that time.
 */
import { argv, stdin, stdout } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "../../test/client/resp.ts";

const ANSWER_MS = 250;

const [, , host = "", port = "", password = "", everyMs = "25"] = argv;
let connection: Connection | undefined;
let writable = false;
let lastYes = 0;

// Its parent's end is its own.
stdin.on("end", () => process.exit()).resume();

for (;;) {
  let yes = false;
  try {
    connection ??= await Connection.open({ host, port: Number(port), password }, ANSWER_MS);
    await connection.command(["SET", `matrix:probe:${host}`, "1"]);
    yes = true;
  } catch {
    connection?.close();
    connection = undefined;
  }
  const now = Date.now();
  if (yes && !writable) stdout.write(`${now} 1\n`);
  if (!yes && writable) stdout.write(`${lastYes} 0\n`);
  if (yes) lastYes = now;
  writable = yes;
  await sleep(Number(everyMs));
}
