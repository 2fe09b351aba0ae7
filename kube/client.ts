/**
 * The Kubernetes API as this project uses it: plain JSON in and out, bounded in time, every failure a KubeError.
 * The generated client is not used for requests: it builds a new connection pool for each, converts every object twice and has no time limit.
 */

import type { IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type Access, inClusterAccess } from "./access.ts";
import { errorFromAnswer } from "./error.ts";
import { type LineStream, streamLines } from "./stream.ts";
import { createTransport, type RawRequest } from "./transport.ts";
import type { KubeList, PatchOperation } from "./types.ts";

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface KubeRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** See paths.ts. */
  path: string;
  query?: Query;
  /** Sent as JSON. */
  body?: unknown;
  contentType?: string;
  /** For another form of the answer, such as metadata only. Default JSON of the whole objects. */
  accept?: string;
  /** Default 5 s, for the whole answer. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface RequestOptions {
  query?: Query;
  accept?: string;
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface OpenOptions {
  headers?: Record<string, string>;
  /** Until the head is there. Default as for requests. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** Options of server-side preconditions on a delete. */
export interface RemoveOptions extends RequestOptions {
  /** Delete only this very object, not a namesake that took its place. */
  uid?: string;
  resourceVersion?: string;
  gracePeriodSeconds?: number;
}

export interface Kube {
  request<T>(request: KubeRequest): Promise<T>;
  get<T>(path: string, options?: RequestOptions): Promise<T>;
  list<T>(path: string, options?: RequestOptions): Promise<KubeList<T>>;
  create<T>(path: string, body: unknown, options?: RequestOptions): Promise<T>;
  /** PUT. Conditional when body.metadata.resourceVersion is set. */
  replace<T>(path: string, body: unknown, options?: RequestOptions): Promise<T>;
  /** RFC 6902. Conditional with an operation {op: "replace", path: "/metadata/resourceVersion", value}: the server compares. */
  jsonPatch<T>(path: string, operations: readonly PatchOperation[], options?: RequestOptions): Promise<T>;
  /** RFC 7386. Conditional when body.metadata.resourceVersion is set. null removes a key; lists are replaced whole. */
  mergePatch<T>(path: string, body: unknown, options?: RequestOptions): Promise<T>;
  remove(path: string, options?: RemoveOptions): Promise<void>;
  /** An answer that comes line by line (a watch). Resolves when the server ends it, rejects when it breaks. */
  stream(stream: LineStream): Promise<void>;
  /** The answer to a GET as soon as its head is there, whatever its status (a pod's own answers through the proxy); the caller reads it or destroys it. */
  open(path: string, options?: OpenOptions): Promise<IncomingMessage>;
  /** Opens `connections` connections ahead of need; call again from time to time to keep them warm. Never throws. */
  warm(connections?: number): Promise<void>;
  /** Keeps two connections warm until close(): an urgent patch then pays no handshake, even while another request hangs. */
  keepWarm(): void;
  close(): void;
}

export interface ConnectOptions {
  /** A kubeconfig file. Default: the service account inside a pod, else KUBECONFIG, else ~/.kube/config. */
  kubeconfig?: string;
  context?: string;
  /** Instead of all that (tests). */
  access?: Access;
  /** Default of every request's limit. */
  timeoutMs?: number;
  userAgent?: string;
  /** Told of every finished request; `status` 0 if no answer came. */
  onRequest?: (method: string, status: number, seconds: number) => void;
}

/** Below the idle time at which the transport closes a connection. */
const KEEP_WARM_MS = 20_000;

/** Makes a client. Nothing is read or sent before the first request. */
export function connectKube(options: ConnectOptions = {}): Kube {
  const transport = createTransport(() => findAccess(options), options.userAgent ?? "redis-ha");
  const defaultTimeoutMs = options.timeoutMs ?? 5000;
  const stopped = new AbortController();

  async function request<T>(wanted: KubeRequest): Promise<T> {
    const startedAt = performance.now();
    let status = 0;
    try {
      const answer = await transport.send(rawRequest(wanted, defaultTimeoutMs));
      status = answer.status;
      if (status < 200 || status > 299) {
        throw errorFromAnswer(`${wanted.method} ${wanted.path}`, status, answer.body, answer.retryAfter);
      }
      return (answer.body === "" ? undefined : JSON.parse(answer.body)) as T;
    } finally {
      options.onRequest?.(wanted.method, status, (performance.now() - startedAt) / 1000);
    }
  }

  async function warm(connections = 2): Promise<void> {
    // Side by side, so that each takes a connection of its own. Everybody who is authenticated may read /version.
    const ping = (): Promise<unknown> => request({ method: "GET", path: "/version", timeoutMs: 2000 }).catch(() => undefined);
    await Promise.all(Array.from({ length: connections }, ping));
  }

  async function keepWarm(): Promise<void> {
    while (!stopped.signal.aborted) {
      await warm();
      await sleep(KEEP_WARM_MS, undefined, { ref: false, signal: stopped.signal }).catch(() => undefined);
    }
  }

  return {
    request,
    get: (path, rest) => request({ method: "GET", path, ...rest }),
    list: (path, rest) => request({ method: "GET", path, ...rest }),
    create: (path, body, rest) => request({ method: "POST", path, body, ...rest }),
    replace: (path, body, rest) => request({ method: "PUT", path, body, ...rest }),
    jsonPatch: (path, body, rest) =>
      request({ method: "PATCH", path, body, contentType: "application/json-patch+json", ...rest }),
    mergePatch: (path, body, rest) =>
      request({ method: "PATCH", path, body, contentType: "application/merge-patch+json", ...rest }),
    remove: async (path, rest = {}) => {
      const { uid, resourceVersion, gracePeriodSeconds, ...common } = rest;
      const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
      await request({ method: "DELETE", path, body: { preconditions, gracePeriodSeconds }, ...common });
    },
    stream: (stream) => streamLines(transport, stream),
    open: (path, { timeoutMs = defaultTimeoutMs, ...rest } = {}) => transport.open({ method: "GET", path, timeoutMs, ...rest }),
    warm,
    keepWarm: () => void keepWarm(),
    close: () => {
      stopped.abort();
      transport.close();
    },
  };
}

async function findAccess(options: ConnectOptions): Promise<Access> {
  if (options.access) return options.access;
  const inPod = options.kubeconfig === undefined && options.context === undefined ? inClusterAccess() : undefined;
  if (inPod) return inPod;
  // Loaded only where it is used: never in a pod.
  const { kubeconfigAccess, kubeconfigFiles } = await import("./kubeconfig.ts");
  return kubeconfigAccess(options.kubeconfig === undefined ? kubeconfigFiles() : [options.kubeconfig], options.context);
}

function rawRequest(wanted: KubeRequest, defaultTimeoutMs: number): RawRequest {
  const raw: RawRequest = {
    method: wanted.method,
    path: wanted.path + queryString(wanted.query),
    timeoutMs: wanted.timeoutMs ?? defaultTimeoutMs,
  };
  if (wanted.signal) raw.signal = wanted.signal;
  if (wanted.accept !== undefined) raw.headers = { accept: wanted.accept };
  if (wanted.body !== undefined) {
    raw.body = JSON.stringify(wanted.body);
    raw.headers = { ...raw.headers, "content-type": wanted.contentType ?? "application/json" };
  }
  return raw;
}

/** "?a=1&b=2", or "" when there is nothing to say. */
export function queryString(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
