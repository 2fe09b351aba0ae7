/** The real server over real TLS on this machine, for tests: what it was told, what it counted and what it logged. */
import { pino } from "pino";
import { Registry } from "prom-client";
import { injectConfig } from "../../../webhook/config.ts";
import type { JsonObject } from "../../../webhook/json.ts";
import { registerWebhookMetrics } from "../../../webhook/metrics.ts";
import { type CertificatePair, createWebhook, type Webhook, type WebhookOptions } from "../../../webhook/server.ts";
import { type Authority, createAuthority } from "./certificate.ts";
import { type Client, connect } from "./client.ts";
import { NOW } from "./support.ts";

export interface Served {
  readonly webhook: Webhook;
  readonly authority: Authority;
  /** what it serves with at first; its common name is "first" */
  readonly pair: CertificatePair;
  /** a client that trusts it */
  readonly client: Client;
  readonly lines: readonly JsonObject[];
  /** the line of /metrics that begins so */
  metric(beginning: string): Promise<string | undefined>;
  /** from now on every admission meets a bug of ours */
  breakIt(): void;
  close(): Promise<void>;
}

let made: Promise<{ authority: Authority; pair: CertificatePair }> | undefined;

async function certificates(): Promise<{ authority: Authority; pair: CertificatePair }> {
  const authority = await createAuthority();
  return { authority, pair: await authority.issue("first") };
}

/** Close it after use. */
export async function startServed(more: Pick<WebhookOptions, "clientCa" | "clientNames" | "patienceMs"> = {}): Promise<Served> {
  made ??= certificates();
  const { authority, pair } = await made;
  const registry = new Registry();
  const lines: JsonObject[] = [];
  let broken = false;
  const webhook = createWebhook({
    tls: () => pair,
    config: injectConfig("0.1.0"),
    logger: pino({ level: "debug" }, { write: (line: string) => lines.push(JSON.parse(line)) }),
    metrics: registerWebhookMetrics(registry),
    now: () => {
      if (broken) throw new Error("a bug of ours");
      return NOW;
    },
    ...more,
  });
  await webhook.app.listen({ port: 0, host: "localhost" });
  const client = connect(webhook, authority.ca);
  return {
    webhook,
    authority,
    pair,
    client,
    lines,
    metric: async (beginning) => (await registry.metrics()).split("\n").find((line) => line.startsWith(beginning)),
    breakIt: () => {
      broken = true;
    },
    close: async () => {
      client.close();
      await webhook.app.close();
    },
  };
}
