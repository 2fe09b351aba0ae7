/**
 * A live copy of one kind of object: list, then watch, for ever.
 *
 * Not client-node's informer: that one stops for good at the first error other than 410, turns a throwing callback into an unhandled rejection, waits at
 * least one second before it connects again, opens a new connection pool for each watch and never relists. Here every failure is tried again within
 * 50 ms to 2 s, and a list every five minutes repairs whatever a watch might have missed.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../report/log.ts";
import { type Kube, type Query, queryString } from "./client.ts";
import { isGone, KubeError } from "./error.ts";
import { type Change, createStore } from "./store.ts";
import type { KubeObject } from "./types.ts";

export interface WatchOptions<T extends KubeObject> {
  kube: Kube;
  /** A collection's path (paths.ts). */
  path: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** An object was added, changed or deleted. Also called for differences that a list found. May throw: it is logged. */
  onEvent?: (type: Change, object: T) => void;
  /** After every list, with all objects. */
  onSync?: (objects: T[]) => void;
  /** The watch broke and is about to start again; `cause` is a short word for a metric's label. */
  onRestart?: (cause: string) => void;
  log: Logger;
  /** Only name, namespace, uid and resourceVersion of each object are fetched and kept: for who wants to know that something changed, not what. */
  identityOnly?: boolean;
  /** How long a stream may be silent. The server sends a bookmark about once a minute. Default 65 s. */
  silentMs?: number;
  /** Default 5 minutes, ± 10 %. */
  relistMs?: number;
}

export interface ObjectWatch<T> {
  stop(): void;
  /** By "namespace/name"; see keyOf. The live map, not a copy. */
  items(): ReadonlyMap<string, T>;
  /** The server's answer to a write of one of these objects: known from now on, not only when the watch tells of it. */
  learn(object: T): void;
  /** The first list is there. Also resolved by stop(). */
  readonly synced: Promise<void>;
  /** When the server was last heard on this watch, by performance.now(); 0 before. */
  readonly lastEventAt: number;
}

/** Answers without spec and status: a tenth of the bytes. */
const METADATA = {
  list: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
  one: "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
} as const;

const BACKOFF_MS = { first: 50, most: 2000 } as const;
/** A stream that lived so long was healthy: the next failure starts at the first backoff again. */
const HEALTHY_MS = 5000;

/** Starts watching at once. */
export function watchObjects<T extends KubeObject>(options: WatchOptions<T>): ObjectWatch<T> {
  const { kube, path, log } = options;
  const selectors: Query = { labelSelector: options.labelSelector, fieldSelector: options.fieldSelector };
  const relistMs = options.relistMs ?? 300_000;
  const stopping = new AbortController();
  const synced = Promise.withResolvers<void>();
  let resourceVersion: string | undefined;
  let lastEventAt = 0;

  const store = createStore<T>((type, object) => guarded(() => options.onEvent?.(type, object)));
  const slim = options.identityOnly === true;

  /** A callback's mistake must not end the watch. */
  function guarded(call: () => void): void {
    try {
      call();
    } catch (error) {
      log.error({ err: error, path }, "a watch's callback threw");
    }
  }

  async function list(whileStreaming: boolean): Promise<void> {
    const finish = whileStreaming ? store.beginMerge() : store.replace;
    const answer = await kube.list<T>(path, {
      query: selectors,
      timeoutMs: 10_000,
      signal: stopping.signal,
      ...(slim ? { accept: METADATA.list } : {}),
    });
    if (slim) answer.items.forEach(keepIdentity);
    finish(answer);
    lastEventAt = performance.now();
    if (!whileStreaming) resourceVersion = answer.metadata?.resourceVersion;
    synced.resolve();
    guarded(() => options.onSync?.([...store.items.values()]));
  }

  function onLine(line: string): void {
    lastEventAt = performance.now();
    const { type, object } = JSON.parse(line) as {
      type: string;
      object: T & { code?: number; reason?: string; message?: string };
    };
    if (type === "ERROR") {
      // Sent inside a stream that began well, most often "too old resource version".
      throw new KubeError({
        status: object.code ?? 500,
        reason: object.reason ?? "Error",
        message: object.message ?? "watch error",
      });
    }
    resourceVersion = object.metadata?.resourceVersion ?? resourceVersion;
    if (slim) keepIdentity(object);
    if (type !== "BOOKMARK") store.apply(type as Change, object);
  }

  async function stream(): Promise<void> {
    const query = { ...selectors, watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds: 600 };
    const silentMs = options.silentMs ?? 65_000;
    const accept = slim ? { accept: METADATA.one } : {};
    await kube.stream({ path: path + queryString(query), onLine, signal: stopping.signal, silentMs, ...accept });
  }

  /** Lists beside the running stream, so that no event waits for it. */
  async function relistNowAndThen(): Promise<void> {
    for (;;) {
      await sleep(relistMs * (0.9 + Math.random() * 0.2), undefined, { ref: false, signal: stopping.signal });
      if (resourceVersion === undefined) continue;
      await list(true).catch((error: unknown) => log.debug({ err: error, path }, "a periodic list failed"));
    }
  }

  async function run(): Promise<void> {
    let delayMs = 0;
    while (!stopping.signal.aborted) {
      const startedAt = performance.now();
      let failure: unknown;
      try {
        if (resourceVersion === undefined) await list(false);
        await stream();
      } catch (error) {
        failure = error;
        if (isGone(error)) resourceVersion = undefined;
      }
      if (stopping.signal.aborted) return;
      const cause = failure === undefined ? "ended" : failure instanceof KubeError ? failure.reason : "error";
      guarded(() => options.onRestart?.(cause));
      log.debug({ err: failure, path, cause }, "a watch is started again");
      delayMs =
        performance.now() - startedAt > HEALTHY_MS ? 0 : Math.min(Math.max(delayMs * 2, BACKOFF_MS.first), BACKOFF_MS.most);
      // Jitter: all watches of all replicas break together when the API server restarts.
      await sleep(delayMs * (0.5 + Math.random() / 2), undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  void run();
  relistNowAndThen().catch(() => undefined);

  return {
    stop: () => {
      stopping.abort();
      synced.resolve();
    },
    items: () => store.items,
    learn: (object) => store.learn(object),
    synced: synced.promise,
    get lastEventAt() {
      return lastEventAt;
    },
  };
}

function keepIdentity(object: KubeObject): void {
  const { name, namespace, uid, resourceVersion } = object.metadata ?? {};
  object.metadata = {
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}
