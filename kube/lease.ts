/**
 * Who of the replicas may change Redis: the holder of a coordination.k8s.io Lease.
 * A Lease does not fence: everything that its holder does must be conditional and idempotent all the same. It only keeps two replicas from doing the
 * same work at once. Clocks of other machines are never believed: a holder is expired when *we* saw its record unchanged for its duration.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../report/log.ts";
import type { Kube } from "./client.ts";
import { isConflict, isNotFound } from "./error.ts";
import { PATH } from "./paths.ts";
import { versionOf } from "./store.ts";
import type { Lease } from "./types.ts";
import { watchObjects } from "./watch.ts";

export interface LeaderOptions {
  kube: Kube;
  namespace: string;
  name: string;
  /** Unique to this process, for example the pod's name and uid. */
  identity: string;
  /** Whether that holder is a process before this one that has surely ended: its Lease need not expire. Default: nobody is. */
  succeeds?: (holder: string) => boolean;
  /** How long a holder that fell silent stays the holder. Default 3 s. */
  leaseMs?: number;
  /** How often the holder says that it is alive. Default 1 s. */
  renewMs?: number;
  onGained: () => void;
  /** We hold it no longer: stop at once whatever only the holder may do. */
  onLost: () => void;
  log: Logger;
}

export interface Leadership {
  readonly held: boolean;
  /** The holder's identity as last seen, which may have expired since; undefined: nobody, or not known yet. */
  readonly holder: string | undefined;
  /** Gives the Lease back, so that the next holder need not wait for it to expire. Bounded by two seconds. */
  stop(): Promise<void>;
}

/** What one replica last saw of the Lease, and when (monotonic). */
export interface Sighting {
  lease: Lease | undefined;
  seenAt: number;
}

export type LeaseStep = { kind: "create" } | { kind: "take" } | { kind: "renew" } | { kind: "wait"; ms: number };

/** What to do about the Lease now. Pure. */
export function nextStep(
  sighting: Sighting,
  identity: string,
  nowMs: number,
  defaultLeaseMs: number,
  succeeds: (holder: string) => boolean = () => false,
): LeaseStep {
  if (!sighting.lease) return { kind: "create" };
  const { holderIdentity, leaseDurationSeconds } = sighting.lease.spec ?? {};
  if (holderIdentity === identity) return { kind: "renew" };
  if (!holderIdentity || succeeds(holderIdentity)) return { kind: "take" };
  const durationMs = leaseDurationSeconds ? leaseDurationSeconds * 1000 : defaultLeaseMs;
  const leftMs = sighting.seenAt + durationMs - nowMs;
  return leftMs <= 0 ? { kind: "take" } : { kind: "wait", ms: leftMs };
}

/** Takes part in the election until stop(). */
export function electLeader(options: LeaderOptions): Leadership {
  const { kube, identity, log } = options;
  const leaseMs = options.leaseMs ?? 3000;
  const renewMs = options.renewMs ?? 1000;
  // The API's unit is whole seconds; a longer one on paper only makes the others wait longer, never shorter, than we hold.
  const durationSeconds = Math.ceil(leaseMs / 1000);
  // We stop before the others may begin: their clocks run from when they saw our renewal, which is after we sent it.
  const marginMs = Math.max(leaseMs / 6, 50);
  const path = PATH.leases(options.namespace, options.name);
  const stopping = new AbortController();
  let sighting: Sighting = { lease: undefined, seenAt: performance.now() };
  let known = false;
  let held = false;
  /** By our own clock, ms (monotonic). After a pause of the whole process a caller may ask before any timer has fired. */
  let heldUntil = 0;
  let expiry: NodeJS.Timeout | undefined;
  let wake = Promise.withResolvers<void>();

  /** `fresh`: read just now, so believed even if it looks older (an etcd that was restored from a backup counts from lower numbers again). */
  function notice(lease: Lease | undefined, fresh = false): void {
    // An event may come later than the answer to a write that came after it.
    if (!fresh && known && lease && sighting.lease && versionOf(lease) <= versionOf(sighting.lease)) return;
    known = true;
    sighting = { lease, seenAt: performance.now() };
    if (held && lease && lease.spec?.holderIdentity !== identity) lose("another holder");
    wake.resolve();
  }

  function gain(sentAt: number): void {
    clearTimeout(expiry);
    heldUntil = sentAt + leaseMs - marginMs;
    if (!stopping.signal.aborted) expiry = setTimeout(() => lose("not renewed in time"), heldUntil - performance.now());
    if (held || stopping.signal.aborted) return;
    held = true;
    log.info({ identity }, "holding the lease");
    call(options.onGained);
  }

  function lose(why: string): void {
    clearTimeout(expiry);
    if (!held) return;
    held = false;
    log.warn({ identity, why }, "holding the lease no longer");
    call(options.onLost);
  }

  function call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      log.error({ err: error }, "a callback of the election threw");
    }
  }

  async function write(step: "create" | "take" | "renew"): Promise<void> {
    const sentAt = performance.now();
    const before = sighting.lease;
    const now = new Date().toISOString().replace("Z", "000Z");
    const transitions = (before?.spec?.leaseTransitions ?? 0) + (step === "take" ? 1 : 0);
    const acquireTime = step === "renew" ? (before?.spec?.acquireTime ?? now) : now;
    const body: Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { ...before?.metadata, namespace: options.namespace, name: options.name },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: durationSeconds,
        acquireTime,
        renewTime: now,
        leaseTransitions: transitions,
      },
    };
    // Not broken off by stop(): only when its answer is known can the Lease be given back.
    const request = { timeoutMs: Math.min(renewMs, 1000) };
    const written =
      step === "create"
        ? await kube.create<Lease>(PATH.leases(options.namespace), body, request)
        : await kube.replace<Lease>(path, body, request);
    notice(written);
    gain(sentAt);
  }

  /** Sleeps, but not past a change of the Lease; a holder sleeps until its next renewal whatever comes. */
  async function pause(ms: number): Promise<void> {
    wake = Promise.withResolvers();
    const timer = sleep(ms, undefined, { signal: stopping.signal }).catch(() => undefined);
    await (held ? timer : Promise.race([timer, wake.promise]));
  }

  async function run(): Promise<void> {
    const watch = watchObjects<Lease>({
      kube,
      path: PATH.leases(options.namespace),
      fieldSelector: `metadata.name=${options.name}`,
      onEvent: (type, lease) => notice(type === "DELETED" ? undefined : lease),
      log,
    });
    stopping.signal.addEventListener("abort", () => watch.stop());
    await watch.synced;
    while (!stopping.signal.aborted) {
      const step = nextStep(sighting, identity, performance.now(), leaseMs, options.succeeds);
      if (step.kind === "wait") {
        await pause(step.ms + Math.random() * 100);
        continue;
      }
      try {
        await write(step.kind);
        await pause(renewMs);
      } catch (error) {
        log.debug({ err: error, step: step.kind }, "the lease could not be written");
        if (isConflict(error) || isNotFound(error)) await lookAgain();
        await pause(renewMs / 4 + Math.random() * 100);
      }
    }
  }

  async function lookAgain(): Promise<void> {
    try {
      notice(await kube.get<Lease>(path, { timeoutMs: renewMs }), true);
    } catch (error) {
      if (isNotFound(error)) notice(undefined, true);
    }
  }

  const running = run().catch((error: unknown) => log.error({ err: error }, "the election ended"));

  return {
    get held() {
      return held && performance.now() < heldUntil;
    },
    get holder() {
      return sighting.lease?.spec?.holderIdentity || undefined;
    },
    stop: async () => {
      stopping.abort();
      lose("stopped");
      await running;
      const latest = sighting.lease;
      if (latest?.spec?.holderIdentity !== identity) return;
      const released: Lease = { ...latest, spec: { ...latest.spec, holderIdentity: "", leaseDurationSeconds: 1 } };
      await kube.replace(path, released, { timeoutMs: 2000 }).catch((error: unknown) => {
        log.debug({ err: error }, "the lease could not be given back");
      });
    },
  };
}
