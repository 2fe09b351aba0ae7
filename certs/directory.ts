/**
 * A certificate that somebody else keeps (cert-manager, a person), in a mounted directory: `tls.crt`, `tls.key`, and perhaps `ca.crt`.
 * The kubelet swaps the whole directory at once; a change is seen by watching it, and by looking from time to time where watching does not work.
 */
import { watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../report/log.ts";
import type { Metrics } from "../report/metrics.ts";
import { lifeOfPair } from "./inspect.ts";
import type { CertificateKeeper, ServingPair } from "./keeper.ts";

export interface DirectoryOptions {
  directory: string;
  /** A pair to serve from now on. Throws when it cannot: then the former stays in use, and it is tried again. */
  onPair: (pair: ServingPair) => void;
  metrics: Metrics;
  log: Logger;
  /** How often to look without having been told of a change. Default 10 s. */
  pollMs?: number;
}

/** Several changes of one swap are looked at once. */
const SETTLE_MS = 50;

/** Starts at once; a directory that is empty or half written is looked at again. */
export function watchCertificates(options: DirectoryOptions): CertificateKeeper {
  const { directory, log } = options;
  const pollMs = options.pollMs ?? 10_000;
  const stopping = new AbortController();
  const first = Promise.withResolvers<ServingPair>();
  let wake = Promise.withResolvers<void>();
  let serving: (ServingPair & { from: number; to: number }) | undefined;
  let complaint = "";

  async function look(): Promise<void> {
    const read = (name: string): Promise<string> => readFile(join(directory, name), "utf8");
    const [cert, key, ca] = await Promise.all([read("tls.crt"), read("tls.key"), read("ca.crt").catch(() => "")]);
    if (serving?.cert === cert && serving.key === key) return;
    const life = lifeOfPair(cert, key);
    if (!life.ok) throw new Error(life.why);
    const pair = { cert, key, ca };
    options.onPair(pair);
    serving = { ...pair, ...life.value };
    first.resolve(pair);
    options.metrics.certificateExpiry.set({ certificate: "leaf" }, life.value.to / 1000);
    log.info({ until: new Date(life.value.to).toISOString() }, "serving a new certificate");
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      wake = Promise.withResolvers();
      try {
        await look();
        complaint = "";
      } catch (error) {
        // Once a cause: the directory may stay empty for long.
        if (String(error) !== complaint) log.warn({ err: error, directory }, "no usable certificate in the directory");
        complaint = String(error);
      }
      const pause = serving === undefined ? Math.min(pollMs, 500) : pollMs;
      await Promise.race([sleep(pause, undefined, { signal: stopping.signal }).catch(() => undefined), wake.promise]);
      if (!stopping.signal.aborted) await sleep(SETTLE_MS);
    }
  }

  try {
    // Of the directory and not of the files, which are replaced and not written.
    watch(directory, { signal: stopping.signal, persistent: false }, () => wake.resolve()).on("error", () => undefined);
  } catch {
    // It is not there yet, or this file system cannot tell: looking from time to time is enough.
  }
  const running = run();

  return {
    firstPair: first.promise,
    ready: () => serving !== undefined && serving.to > Date.now(),
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
