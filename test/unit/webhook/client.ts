/** The API server's part: posts reviews over TLS with kept-alive connections. */
import { Agent, request } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import type { JsonObject } from "../../../webhook/json.ts";
import type { Webhook } from "../../../webhook/server.ts";

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly json: JsonObject;
  /** common name of the certificate that was shown */
  readonly certificate: string;
  readonly connection: string | undefined;
  /** our side's port: tells connections apart */
  readonly port: number;
}

export interface Client {
  readonly post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<Reply>;
  readonly close: () => void;
}

/** @param client a certificate to show */
export function connect({ app }: Webhook, ca: string, client: { readonly cert?: string; readonly key?: string } = {}): Client {
  const { port } = app.server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true, ca, ...client });
  return {
    post: (path, body, headers = {}) =>
      new Promise((resolve, reject) => {
        const outgoing = request(
          { agent, host: "localhost", port, path, method: "POST", headers: { "content-type": "application/json", ...headers } },
          (incoming) => {
            const socket = incoming.socket as TLSSocket;
            const peer = socket.getPeerCertificate();
            const local = socket.localPort ?? 0;
            const chunks: Buffer[] = [];
            incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
            incoming.on("error", reject);
            incoming.on("end", () => {
              const text = Buffer.concat(chunks).toString();
              const { connection } = incoming.headers;
              resolve({
                status: incoming.statusCode ?? 0,
                body: text,
                json: parsed(text),
                certificate: String(peer.subject?.CN),
                connection,
                port: local,
              });
            });
          },
        );
        outgoing.on("error", reject);
        outgoing.end(typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body));
      }),
    close: () => agent.destroy(),
  };
}

function parsed(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return {};
  }
}
