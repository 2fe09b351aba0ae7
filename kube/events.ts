/**
 * Kubernetes Events, written behind the caller's back: a bounded queue and one request at a time, so that telling people what happened
 * can never slow down or fail the thing itself. Repeats within ten minutes raise the count of the Event that is already there. Where the API server does not answer,
 * or asks for patience, a write is tried again for a while: the time of its troubles is when people read Events.
 */

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Reason } from "../model/reasons.ts";
import type { Logger } from "../report/log.ts";
import type { Kube } from "./client.ts";
import { isConflict, isNotFound, isThrottled, isUnavailable, KubeError } from "./error.ts";
import { PATH } from "./paths.ts";
import type { CoreEvent, ObjectRef } from "./types.ts";

export interface EventInput {
  involved: ObjectRef;
  reason: Reason;
  message: string;
  type: "Normal" | "Warning";
}

export interface EventRecorder {
  /** Never throws and never waits. */
  record(event: EventInput): void;
  /** Resolves when all that was recorded so far is written or given up. */
  flush(): Promise<void>;
}

export interface EventRecorderOptions {
  kube: Kube;
  log: Logger;
  /** Shown as the Event's source. */
  component?: string;
  /** The pod that reports. */
  instance?: string;
  onDropped?: () => void;
  now?: () => number;
  /** Default 256. */
  capacity?: number;
  /** Waits so many ms before a write is tried again. */
  pause?: (ms: number) => Promise<unknown>;
}

const AGGREGATE_MS = 10 * 60_000;
/** An Event's message may have 1024 bytes; longer ones are refused. */
const MESSAGE_BYTES = 1024;

/** Before each new try, ms. */
const AGAIN_MS = [250, 500, 1000, 2000, 4000, 8000];
/** A server that asks for more patience than this is asked sooner, ms. */
const PATIENCE_MS = 8000;

interface Written {
  name: string;
  namespace: string;
  count: number;
  at: number;
}

interface Waiting {
  event: EventInput;
  /** Of the object, given before the first try: a try whose answer was lost writes no second one. */
  name: string;
  /** How often it was tried in vain. */
  tries: number;
  /** How many equal occurrences this entry stands for. */
  times: number;
  lastAt: number;
}

/** Makes a recorder. One a process, so that all reports share its bound and its memory of repeats. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { kube, log } = options;
  const now = options.now ?? Date.now;
  const capacity = options.capacity ?? 256;
  const pause = options.pause ?? ((ms: number) => sleep(ms, undefined, { ref: false }));
  const source = { component: options.component ?? "redis-ha", instance: options.instance ?? "redis-ha" };
  /** In order of arrival; equal ones are merged while they wait. */
  const queue = new Map<string, Waiting>();
  const written = new Map<string, Written>();
  let working: Promise<void> | undefined;

  async function write(key: string, waiting: Waiting): Promise<void> {
    const before = written.get(key);
    if (before && now() - before.at < AGGREGATE_MS) {
      const count = before.count + waiting.times;
      try {
        const change = { count, lastTimestamp: new Date(waiting.lastAt).toISOString() };
        await kube.mergePatch(PATH.events(before.namespace, before.name), change);
        written.set(key, { ...before, count, at: now() });
        return;
      } catch (error) {
        // The API server forgets Events after an hour, and people delete them: then it is written anew.
        if (!isNotFound(error)) throw error;
      }
    }
    const body = eventBody(waiting, source);
    const namespace = body.metadata.namespace ?? "default";
    await kube.create(PATH.events(namespace), body).catch((error: unknown) => {
      if (!isConflict(error)) throw error;
    });
    written.set(key, { name: waiting.name, namespace, count: waiting.times, at: now() });
  }

  /** Resolves when the next one may be tried; the failed one waits in the queue again, or is given up. */
  async function failed(key: string, waiting: Waiting, error: unknown): Promise<void> {
    const again = AGAIN_MS[waiting.tries];
    // The newest say most about what is going on: none of them is given up for an old one.
    const room = queue.has(key) || queue.size < capacity;
    if (again === undefined || !room || !(isThrottled(error) || isUnavailable(error))) {
      options.onDropped?.();
      log.debug({ err: error, reason: waiting.event.reason }, "an Event could not be written");
      return;
    }
    const newer = queue.get(key);
    const times = waiting.times + (newer?.times ?? 0);
    queue.set(key, { ...waiting, times, lastAt: newer?.lastAt ?? waiting.lastAt, tries: waiting.tries + 1 });
    const asked = error instanceof KubeError ? error.retryAfterMs : undefined;
    await pause(Math.min(Math.max(asked ?? 0, again), PATIENCE_MS));
  }

  function put(key: string, waiting: Waiting): void {
    queue.set(key, waiting);
    if (queue.size <= capacity) return;
    // The newest say most about what is going on.
    const oldest = queue.keys().next().value;
    if (oldest !== undefined) queue.delete(oldest);
    options.onDropped?.();
  }

  async function work(): Promise<void> {
    for (let next = queue.entries().next(); !next.done; next = queue.entries().next()) {
      const [key, waiting] = next.value;
      queue.delete(key);
      try {
        await write(key, waiting);
      } catch (error) {
        await failed(key, waiting, error);
      }
    }
    for (const [key, { at }] of written) if (now() - at > AGGREGATE_MS) written.delete(key);
  }

  function start(): void {
    working ??= work().finally(() => {
      working = undefined;
      if (queue.size > 0) start();
    });
  }

  return {
    record: (event) => {
      const key = [
        event.involved.uid ?? `${event.involved.kind}/${event.involved.namespace}/${event.involved.name}`,
        event.type,
        event.reason,
        event.message,
      ].join("\n");
      const waiting = queue.get(key);
      const { name = nameFor(event.involved), tries = 0, times = 0 } = waiting ?? {};
      put(key, { event, name, tries, times: times + 1, lastAt: now() });
      start();
    },
    flush: async () => {
      while (working) await working;
    },
  };
}

const nameFor = (involved: ObjectRef): string => `${involved.name.slice(0, 200)}.${randomBytes(8).toString("hex")}`;

function eventBody(waiting: Waiting, source: { component: string; instance: string }): CoreEvent {
  const { involved, reason, message, type } = waiting.event;
  const at = new Date(waiting.lastAt).toISOString();
  // Events about objects of the whole cluster live in "default", as the API demands.
  const namespace = involved.namespace ?? "default";
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { namespace, name: waiting.name },
    involvedObject: { ...involved },
    reason,
    message: shorten(message),
    type,
    count: waiting.times,
    firstTimestamp: at,
    lastTimestamp: at,
    source: { component: source.component },
    reportingComponent: `redis-ha.io/${source.component}`,
    reportingInstance: source.instance.slice(0, 128),
  };
}

function shorten(message: string): string {
  if (Buffer.byteLength(message) <= MESSAGE_BYTES) return message;
  return `${Buffer.from(message)
    .subarray(0, MESSAGE_BYTES - 4)
    .toString("utf8")
    .replace(/\uFFFD+$/, "")}…`;
}
