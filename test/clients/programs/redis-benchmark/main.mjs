/**
 * redis-benchmark in the contract's terms as far as it goes: it tells how many requests a second it does, four times a second, and no keys. Each such
 * report with a rate above 0 counts as one acknowledgement of writer 0; its end, which it takes at the first error, as one failure.
 */
import { spawn } from "node:child_process";
import { argv, env, stdin, stdout } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const [program, ...args] = argv.slice(2);
const RECOMMENDED = env.CONFIG === "recommended";
const now = () => performance.timeOrigin + performance.now();
const say = (line) => stdout.write(`${JSON.stringify(line)}\n`);

let number = 0;
let running;
let from = now();
const login = env.REDIS_PASSWORD ? ["-a", env.REDIS_PASSWORD] : [];
const options = [
  "-h",
  env.REDIS_HOST,
  "-p",
  env.REDIS_PORT,
  ...login,
  "-c",
  env.WRITERS,
  "-n",
  "2000000000",
  "-r",
  "1000000",
  "-t",
  "set",
];

function once() {
  return new Promise((resolve) => {
    running = spawn(program, [...args, ...options], { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    const read = (chunk) => {
      for (const part of String(chunk).split(/[\r\n]+/)) {
        const rate = /rps=([\d.]+)/.exec(part)?.[1];
        if (rate === undefined) text = part.trim() === "" ? text : part.trim();
        else if (Number(rate) > 0) {
          number += 1;
          say({ ack: `benchmark:${number}`, writer: 0, from, to: now() });
          from = now();
        }
      }
    };
    running.stdout.on("data", read);
    running.stderr.on("data", read);
    running.on("close", (code) => {
      say({ error: `exit ${code}`, text, writer: 0, from, to: now() });
      resolve();
    });
  });
}

stdin.on("end", () => {
  running?.kill("SIGKILL");
  process.exit(0);
});
stdin.resume();
say({ ready: true });
// docs:begin
do {
  await once();
  await sleep(200);
} while (RECOMMENDED);
// docs:end
