/**
 * Bytes to and from the API server, over pools of persistent HTTP/1.1 connections.
 *
 * Why not HTTP/2: there all requests share one TCP connection, so one lost packet, or one connection that silently died with its peer, delays the very
 * patch that a failover waits for. With HTTP/1.1 a request that hangs holds its own connection and no other. Watches use a pool of their own.
 */

import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Access, Credentials } from "./access.ts";
import { KubeError } from "./error.ts";

export interface RawRequest {
  method: string;
  /** Path and query. */
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** Until the whole answer is there; for open(), until its head is there. */
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface RawResponse {
  status: number;
  retryAfter: string | undefined;
  body: string;
}

export interface Transport {
  send(request: RawRequest): Promise<RawResponse>;
  /** Sends and hands back the answer as soon as its head is there, for streams. */
  open(request: RawRequest): Promise<IncomingMessage>;
  close(): void;
}

/** Credentials are read again when they are older than this: the kubelet rotates a token long before it ends. */
const CREDENTIALS_MS = 30_000;
/** Below the API server's own 90 s, so that we and not the server close an idle connection: no race with a request. */
const IDLE_MS = 60_000;

export function createTransport(findAccess: () => Promise<Access>, userAgent: string): Transport {
  let access: Promise<Access> | undefined;
  let base: URL | undefined;
  let credentials: Credentials | undefined;
  let loadedAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<Credentials> | undefined;
  let agents: { requests: HttpAgent; streams: HttpAgent } | undefined;

  async function load(): Promise<Credentials> {
    access ??= findAccess();
    const found = await access.catch((error: unknown) => {
      access = undefined;
      throw error;
    });
    base ??= new URL(found.server);
    const loaded = await found.load();
    credentials = loaded;
    loadedAt = performance.now();
    return loaded;
  }

  /** The first caller waits; later ones get what there is while it is read again in the background. */
  async function current(force = false): Promise<Credentials> {
    if (credentials && !force && performance.now() - loadedAt < CREDENTIALS_MS) return credentials;
    loading ??= load().finally(() => {
      loading = undefined;
    });
    if (credentials && !force) {
      // A failed re-read is no reason to stop: the old token is mostly still good, and the API server is the judge of that.
      loading.catch(() => undefined);
      return credentials;
    }
    return loading;
  }

  function agentsFor(url: URL): { requests: HttpAgent; streams: HttpAgent } {
    if (agents) return agents;
    // lifo: the warmest connection first; the second warmest stays ready for when the first hangs.
    const options = { keepAlive: true, maxSockets: 256, maxFreeSockets: 8, scheduling: "lifo", timeout: IDLE_MS } as const;
    const streams = { keepAlive: false, maxSockets: Number.POSITIVE_INFINITY };
    agents =
      url.protocol === "https:"
        ? { requests: new HttpsAgent(options), streams: new HttpsAgent(streams) }
        : { requests: new HttpAgent(options), streams: new HttpAgent(streams) };
    return agents;
  }

  /** One try. The answer's body is not read. */
  async function head(
    raw: RawRequest,
    streaming: boolean,
  ): Promise<{ message: IncomingMessage; request: ClientRequest; finish: () => void }> {
    const known = await current().catch((error: unknown) => {
      throw new KubeError({
        status: 0,
        reason: "ConnectionFailed",
        message: `no access to Kubernetes: ${String(error)}`,
        cause: error,
      });
    });
    const url = base as URL;
    const pools = agentsFor(url);
    const make = url.protocol === "https:" ? httpsRequest : httpRequest;
    const headers: Record<string, string | number> = {
      accept: "application/json",
      "user-agent": userAgent,
      ...known.headers,
      ...raw.headers,
    };
    if (raw.body !== undefined) headers["content-length"] = Buffer.byteLength(raw.body);
    return new Promise((resolve, reject) => {
      const request = make({
        agent: streaming ? pools.streams : pools.requests,
        hostname: url.hostname.replace(/^\[|\]$/g, ""),
        port: url.port || (url.protocol === "https:" ? 443 : 80),
        method: raw.method,
        path: url.pathname.replace(/\/$/, "") + raw.path,
        headers,
        ...known.tls,
        ...(raw.signal ? { signal: raw.signal } : {}),
      });
      const timer = setTimeout(() => {
        // What sat idle beside a connection that hangs is probably as dead: the next request opens a fresh one.
        for (const sockets of Object.values(pools.requests.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
        request.destroy(
          new KubeError({ status: 0, reason: "Timeout", message: `${what(raw)}: no answer in ${raw.timeoutMs} ms` }),
        );
      }, raw.timeoutMs);
      const finish = (): void => clearTimeout(timer);
      request.on("response", (message) => resolve({ message, request, finish }));
      request.on("error", (error) => {
        finish();
        reject(failure(raw, error, request.reusedSocket));
      });
      request.end(raw.body);
    });
  }

  async function once(raw: RawRequest): Promise<RawResponse> {
    const { message, finish } = await head(raw, false);
    try {
      message.setEncoding("utf8");
      let body = "";
      for await (const chunk of message) body += chunk;
      return { status: message.statusCode ?? 0, retryAfter: message.headers["retry-after"], body };
    } catch (error) {
      throw failure(raw, error, false);
    } finally {
      finish();
    }
  }

  /**
   * A kept connection that the server closed while our request was on its way fails at once with a reset: tried again on another one.
   * Not POST: it could then be done twice.
   */
  async function send(raw: RawRequest): Promise<RawResponse> {
    let answer: RawResponse;
    try {
      answer = await once(raw);
    } catch (error) {
      if (!(error instanceof StaleConnection) || raw.method === "POST") throw error;
      answer = await once(raw);
    }
    if (answer.status !== 401) return answer;
    await current(true).catch(() => undefined);
    return once(raw);
  }

  return {
    send,
    open: async (raw) => {
      const { message, finish } = await head(raw, true);
      finish();
      return message;
    },
    close: () => {
      agents?.requests.destroy();
      agents?.streams.destroy();
    },
  };
}

class StaleConnection extends KubeError {}

const what = (raw: RawRequest): string => `${raw.method} ${raw.path.split("?")[0]}`;

function failure(raw: RawRequest, error: unknown, reused: boolean): KubeError {
  if (error instanceof KubeError) return error;
  const code = (error as { code?: string }).code ?? "";
  if (raw.signal?.aborted) return new KubeError({ status: 0, reason: "Stopped", message: `${what(raw)}: stopped` });
  const fields = { status: 0, reason: "ConnectionFailed", message: `${what(raw)}: ${(error as Error).message}`, cause: error };
  return reused && (code === "ECONNRESET" || code === "EPIPE") ? new StaleConnection(fields) : new KubeError(fields);
}
