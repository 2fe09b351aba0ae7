/** The JSON log on standard output: one line an occurrence, with the same `reason` word as the Event and the metric. */

import pino from "pino";

export type Logger = pino.Logger;

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Keys whose values never reach the log, at the top and one or two levels down. */
const SECRET_KEYS = ["password", "auth", "masterauth", "requirepass", "token", "authorization", "key", "caKey"];
const SECRET_PATHS = [
  ...SECRET_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
  // ioredis hangs the failed command on its errors: of AUTH and CONFIG SET the arguments are secrets.
  "err.command",
  "*.err.command",
];

/** What createLog returns for shutting down: lines still in memory are written at once. */
export interface LogHandle {
  log: Logger;
  flush(): void;
}

/** Makes the process's root logger. Tests give their own `stream`. */
export function createLog(
  options: { level?: LogLevel; stream?: pino.DestinationStream; base?: Record<string, unknown> } = {},
): LogHandle {
  const settings: pino.LoggerOptions = {
    level: options.level ?? "info",
    base: options.base ?? {},
    messageKey: "message",
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_PATHS, censor: "(secret)" },
    serializers: { err: pino.stdSerializers.errWithCause, error: pino.stdSerializers.errWithCause },
  };
  if (options.stream) return { log: pino(settings, options.stream), flush: () => undefined };
  // Asynchronous: a slow reader of our standard output must not stop a failover.
  const out = pino.destination({ dest: 1, sync: false });
  // Whoever reads us went away (a closed pipe): there is nobody left to tell.
  out.on("error", () => undefined);
  return {
    log: pino(settings, out),
    flush: () => {
      try {
        out.flushSync();
      } catch {
        // Not yet open or already broken: nothing to save.
      }
    },
  };
}

/** A logger that says nothing, for tests and for library use. */
export const silentLog = (): Logger => pino({ level: "silent" });
