/** Admissions at a steady rate, as an API server sends them: kept-alive connections, one trust for each caBundle, every failure remembered. */
import { Agent, request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import type { TLSSocket } from "node:tls";

export interface LoadOptions {
  readonly perSecond: number;
  /** the ports of the replicas that are called now */
  readonly ports: () => readonly number[];
  /** the CAs that the caller trusts now, PEM */
  readonly ca: () => string;
  readonly servername: string;
  readonly body: string;
}

export interface LoadResult {
  readonly sent: number;
  readonly failures: readonly string[];
  /** fingerprints of the certificates that were shown */
  readonly certificates: ReadonlySet<string>;
  readonly latenciesMs: readonly number[];
}

export interface Load {
  /** as far as seen by now */
  readonly certificates: ReadonlySet<string>;
  /** waits for what is in flight */
  stop(): Promise<LoadResult>;
}

const MOST_FLYING = 50;

export function startLoad(options: LoadOptions): Load {
  const agents = new Map<string, Agent>();
  const failures: string[] = [];
  const certificates = new Set<string>();
  const latenciesMs: number[] = [];
  const flying = new Set<Promise<void>>();
  const startedAt = performance.now();
  let sent = 0;
  let stopping = false;

  const agentOf = (ca: string): Agent => {
    const known = agents.get(ca) ?? new Agent({ keepAlive: true, ca, maxFreeSockets: 20 });
    agents.set(ca, known);
    return known;
  };

  function send(): Promise<void> {
    const ports = options.ports();
    const port = ports[sent % Math.max(ports.length, 1)] ?? 0;
    const began = performance.now();
    const fail = (why: string): void => {
      failures.push(`${Math.round(began - startedAt)} ms, port ${port}: ${why}`);
    };
    return new Promise((resolve) => {
      const { servername, body } = options;
      const target = { agent: agentOf(options.ca()), host: "127.0.0.1", port, servername, path: "/mutate/pods", method: "POST" };
      const outgoing = request(
        { ...target, timeout: 5000, headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) } },
        (incoming) => {
          const { fingerprint256 } = (incoming.socket as TLSSocket).getPeerCertificate();
          if (fingerprint256) certificates.add(fingerprint256);
          let text = "";
          incoming.setEncoding("utf8").on("data", (chunk) => {
            text += chunk;
          });
          incoming.on("error", (error) => {
            fail(String(error));
            resolve();
          });
          incoming.on("end", () => {
            latenciesMs.push(performance.now() - began);
            if (incoming.statusCode !== 200 || !text.includes('"allowed":true'))
              fail(`${incoming.statusCode} ${text.slice(0, 200)}`);
            resolve();
          });
        },
      );
      outgoing.on("timeout", () => outgoing.destroy(new Error("no answer in 5 s")));
      outgoing.on("error", (error) => {
        // Go's client, too, sends again what a kept connection lost before it was read; a Node client leaves that to its caller.
        if (outgoing.reusedSocket && /ECONNRESET|EPIPE|socket hang up/.test(String(error)))
          fail(`on a kept connection: ${error}`);
        else fail(String(error));
        resolve();
      });
      outgoing.end(body);
    });
  }

  async function run(): Promise<void> {
    const everyMs = 1000 / options.perSecond;
    let due = performance.now();
    while (!stopping) {
      const now = performance.now();
      // Where this very process was held up there is no catching up: a burst would measure us and not the server.
      if (now - due > 100) due = now;
      for (; due <= now && flying.size < MOST_FLYING; due += everyMs) {
        const one = send();
        sent += 1;
        flying.add(one);
        void one.finally(() => flying.delete(one));
      }
      await sleep(4);
    }
  }
  const running = run();

  return {
    certificates,
    stop: async () => {
      stopping = true;
      await running;
      await Promise.all(flying);
      for (const agent of agents.values()) agent.destroy();
      return { sent, failures, certificates, latenciesMs };
    },
  };
}
