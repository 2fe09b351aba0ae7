import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { hostServer } from "./kubeconfig.ts";
import type { Layout } from "./layout.ts";

export type ApiAnswer = { status: number; body: string };

/** A few plain calls to the API server as administrator; a whole client library would cost a second of every start. */
export type Api = {
  call: (method: string, path: string, body?: object) => Promise<ApiAnswer>;
  /** The object at a path, or undefined when there is none. */
  get: <T>(path: string) => Promise<T | undefined>;
  /** Makes an object; one that exists already is left as it is. */
  create: (path: string, object: object) => Promise<void>;
  /** Calls `wake` at every change below a path until the connection ends; what changed has to be read afterwards. */
  watch: (path: string, wake: () => void) => Promise<void>;
  close: () => void;
};

const TIMEOUT_MS = 10_000;

/** Connects to a cluster's API server from the host. */
export function connectApi(layout: Layout, certificate = "admin"): Api {
  const read = (name: string): Buffer => readFileSync(join(layout.certs, name));
  const agent = new Agent({
    ca: read("ca.crt"),
    cert: read(`${certificate}.crt`),
    key: read(`${certificate}.key`),
    keepAlive: true,
  });
  const call: Api["call"] = async (method, path, body) =>
    await new Promise((resolve, reject) => {
      const headers =
        body === undefined ? {} : { "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json" };
      const outgoing = request(new URL(path, hostServer(layout)), { agent, method, headers, timeout: TIMEOUT_MS }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
        incoming.on("error", reject);
      });
      outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer from the API server in ${TIMEOUT_MS} ms`)));
      outgoing.on("error", reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  return {
    call,
    get: async <T>(path: string) => {
      const answer = await call("GET", path);
      if (answer.status === 404) return undefined;
      return JSON.parse(expectSuccess("GET", path, answer).body) as T;
    },
    create: async (path, object) => {
      const answer = await call("POST", path, object);
      if (answer.status !== 409) expectSuccess("POST", path, answer);
    },
    watch: async (path, wake) =>
      await new Promise((resolve) => {
        const outgoing = request(new URL(`${path}?watch=true`, hostServer(layout)), { agent }, (incoming) => {
          incoming.on("data", wake);
          incoming.on("close", resolve);
        });
        outgoing.on("error", () => resolve());
        outgoing.end();
      }),
    close: () => agent.destroy(),
  };
}

function expectSuccess(method: string, path: string, answer: ApiAnswer): ApiAnswer {
  if (answer.status < 200 || answer.status > 299)
    throw new Error(`${method} ${path}: ${answer.status} ${answer.body.slice(0, 300)}`);
  return answer;
}
