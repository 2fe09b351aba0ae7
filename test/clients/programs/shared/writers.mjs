/** The contract of test/clients/README.md for programs in JavaScript: writers, their lines on stdout, the end when stdin ends. */
import { env, stdin, stdout } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

export const TARGET = { host: env.REDIS_HOST, port: Number(env.REDIS_PORT), password: env.REDIS_PASSWORD || undefined };
export const RECOMMENDED = env.CONFIG === "recommended";
const PAUSE_MS = Number(env.PAUSE_MS);
const STOP_MS = 1000;

const now = () => performance.timeOrigin + performance.now();
export const say = (line) => stdout.write(`${JSON.stringify(line)}\n`);

/** Calls `set(key, value)` in WRITERS loops until stdin ends; then the process ends, whether calls hang or not. */
export async function write(set) {
  let stopped = false;
  stdin.on("end", () => {
    stopped = true;
    setTimeout(() => process.exit(0), STOP_MS);
  });
  stdin.resume();
  const loop = async (writer) => {
    for (let number = 1; !stopped; number += 1) {
      const key = `c:${env.RUN}:${writer}:${number}`;
      const from = now();
      try {
        await set(key, String(number));
        say({ ack: key, writer, from, to: now() });
      } catch (error) {
        const kind = error.code ?? /^[A-Z]{4,}(?= )/.exec(error.message)?.[0] ?? error.constructor.name;
        say({ error: kind, text: error.message, writer, from, to: now() });
      }
      await sleep(PAUSE_MS);
    }
  };
  say({ ready: true });
  await Promise.all(Array.from({ length: Number(env.WRITERS) }, (_, writer) => loop(writer)));
  process.exit(0);
}
