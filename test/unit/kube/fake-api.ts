/** A small API server for tests: objects in memory, list, watch, create, replace, patch and delete, over plain HTTP. Faults can be switched on. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fastJsonPatch from "fast-json-patch";
import { connectKube, type Kube } from "../../../kube/client.ts";
import type { KubeObject, PatchOperation } from "../../../kube/types.ts";

export interface FakeApi {
  kube: Kube;
  server: Server;
  objects: Map<string, KubeObject>;
  /** Of every request: "METHOD path". */
  seen: string[];
  /** Answers before the store does, when it returns true. */
  fault: (request: IncomingMessage, response: ServerResponse) => boolean;
  put(path: string, object: KubeObject): KubeObject;
  drop(path: string): void;
  /** Deletes without telling the watches. */
  dropSilently(path: string): void;
  putSilently(path: string, object: KubeObject): void;
  /** Sends a raw line to every watch. */
  sendLine(line: string): void;
  breakWatches(): void;
  watches(): number;
  close(): Promise<void>;
}

export async function startFakeApi(): Promise<FakeApi> {
  const objects = new Map<string, KubeObject>();
  const seen: string[] = [];
  const streams = new Map<ServerResponse, string>();
  let version = 100;

  const stamp = (object: KubeObject): KubeObject => {
    version += 1;
    const uid = object.metadata?.uid ?? `uid-${version}`;
    return { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(version) } };
  };
  const tell = (type: string, path: string, object: KubeObject): void => {
    for (const [stream, collection] of streams) {
      if (path.startsWith(`${collection}/`)) stream.write(`${JSON.stringify({ type, object })}\n`);
    }
  };
  const api: FakeApi = {
    kube: connectKube({ access: { server: "http://127.0.0.1:1", load: async () => ({ tls: {}, headers: {} }) } }),
    server: createServer((request, response) => void answer(request, response)),
    objects,
    seen,
    fault: () => false,
    put: (path, object) => {
      const type = objects.has(path) ? "MODIFIED" : "ADDED";
      const stamped = stamp(object);
      objects.set(path, stamped);
      tell(type, path, stamped);
      return stamped;
    },
    putSilently: (path, object) => void objects.set(path, stamp(object)),
    drop: (path) => {
      const object = objects.get(path);
      objects.delete(path);
      if (object) tell("DELETED", path, stamp(object));
    },
    dropSilently: (path) => {
      objects.delete(path);
      version += 1;
    },
    sendLine: (line) => {
      for (const stream of streams.keys()) stream.write(`${line}\n`);
    },
    breakWatches: () => {
      for (const stream of streams.keys()) stream.destroy();
      streams.clear();
    },
    watches: () => streams.size,
    close: async () => {
      api.kube.close();
      api.breakWatches();
      api.server.closeAllConnections();
      await new Promise((resolve) => api.server.close(resolve));
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://api");
    const path = url.pathname;
    seen.push(`${request.method} ${path}`);
    let text = "";
    for await (const chunk of request) text += chunk;
    if (api.fault(request, response)) return;
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    const fail = (status: number, reason: string): void =>
      send(status, { kind: "Status", reason, message: `${reason}: ${path}` });
    if (path === "/version") return send(200, { gitVersion: "fake" });
    const existing = objects.get(path);
    if (request.method === "GET" && url.searchParams.get("watch") === "true") {
      response.writeHead(200, { "content-type": "application/json" });
      response.flushHeaders();
      streams.set(response, path);
      response.on("close", () => streams.delete(response));
      return;
    }
    if (request.method === "GET") {
      if (existing) return send(200, existing);
      const items = [...objects].filter(([key]) => key.startsWith(`${path}/`)).map(([, object]) => object);
      if (namesOne(path)) return fail(404, "NotFound");
      return send(200, { metadata: { resourceVersion: String(version) }, items });
    }
    const body = (text === "" ? undefined : JSON.parse(text)) as (KubeObject & PatchOperation[]) | undefined;
    if (request.method === "POST") {
      const at = `${path}/${body?.metadata?.name}`;
      if (objects.has(at)) return fail(409, "AlreadyExists");
      return send(201, api.put(at, body ?? {}));
    }
    if (!existing) return fail(404, "NotFound");
    if (request.method === "DELETE") {
      api.drop(path);
      return send(200, { kind: "Status", status: "Success" });
    }
    const wanted = changed(existing, body, request);
    if (!wanted) return fail(422, "Invalid");
    const asked = wanted.metadata?.resourceVersion;
    if (asked !== undefined && asked !== existing.metadata?.resourceVersion) return fail(409, "Conflict");
    return send(200, api.put(path, wanted));
  }

  await new Promise<void>((resolve) => api.server.listen(0, "127.0.0.1", resolve));
  api.kube = kubeOf(api.server);
  return api;
}

/** One more client of the same server; `headers` tell it from others in a fault. */
export function kubeOf(server: Server, headers: Record<string, string> = {}): Kube {
  const { port } = server.address() as AddressInfo;
  return connectKube({ access: { server: `http://127.0.0.1:${port}`, load: async () => ({ tls: {}, headers }) } });
}

function changed(existing: KubeObject, body: unknown, request: IncomingMessage): KubeObject | undefined {
  if (request.method === "PUT") return body as KubeObject;
  if (request.headers["content-type"] === "application/json-patch+json") {
    try {
      return fastJsonPatch.applyPatch(structuredClone(existing), body as fastJsonPatch.Operation[]).newDocument;
    } catch {
      return undefined;
    }
  }
  return mergePatch(existing, body) as KubeObject;
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = { ...(target as Record<string, unknown>) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key] ?? {}, value);
  }
  return result;
}

/** Does the path name one object, and not a collection? */
function namesOne(path: string): boolean {
  const rest = path.replace(/^\/(api|apis\/[^/]+)\/[^/]+\//, "").replace(/^namespaces\/[^/]+\//, "");
  return rest.includes("/");
}
