/** The process around the server: signals, the last line of defence, and the exit code. */

import { setFlagsFromString } from "node:v8";
import { createLog } from "../report/log.ts";
import { createMetrics } from "../report/metrics.ts";
import { type Running, serve } from "./serve.ts";
import type { ServeFlags } from "./serve-command.ts";

/** Longer than any orderly stop; shorter than the pod's grace period. */
const STOP_MS = 20_000;

/**
 * V8's middle compiler keeps the memory of its finished jobs until a background thread frees it; malloc then holds 14 MiB for good. No cost was measured
 * (bench/webhook/README.md). An engine that does not know the flag says so and goes on.
 */
const SMALL = "--no-maglev-destroy-on-background";

/** Runs until a signal or a bug ends it, then ends the process. */
export async function runServer(flags: ServeFlags): Promise<void> {
  setFlagsFromString(SMALL);
  const { log, flush } = createLog({ level: flags.logLevel });
  const metrics = createMetrics({ processMetrics: true });
  let running: Running | undefined;

  const exit = (code: number): never => {
    flush();
    process.exit(code);
  };

  // State after a bug is unknown. Another replica goes on, Kubernetes starts this one again, and every act is safe to repeat.
  const crash =
    (kind: string) =>
    (error: unknown): void => {
      metrics.unhandledErrors.inc();
      log.fatal({ err: error, kind }, "a bug of redis-ha: ending the process");
      exit(1);
    };
  process.on("uncaughtException", crash("uncaughtException"));
  process.on("unhandledRejection", crash("unhandledRejection"));

  let signals = 0;
  const stop = (signal: NodeJS.Signals): void => {
    signals += 1;
    // A person who presses ^C twice means it.
    if (signals > 1 && signal === "SIGINT") exit(130);
    if (signals > 1) return;
    log.info({ signal }, "stopping");
    setTimeout(() => {
      log.error("could not stop in an orderly way");
      exit(1);
    }, STOP_MS).unref();
    (running?.stop() ?? Promise.resolve()).then(() => exit(0), crash("stop"));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);

  try {
    running = await serve(flags, { log, metrics });
  } catch (error) {
    log.fatal({ err: error }, "could not start");
    exit(1);
  }
}
