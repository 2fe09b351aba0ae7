/** One process of redis-ha, wired together: the admin port at once, then the webhook with its certificates beside the handlers. */

import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { watchCertificates } from "../certs/directory.ts";
import { type CertificateKeeper, keepCertificates, type ServingPair } from "../certs/keeper.ts";
import type { GroupView } from "../handlers/group.ts";
import { registerGroupMetrics } from "../handlers/group-metrics.ts";
import { type Handlers, startHandlers } from "../handlers/manager.ts";
import { connectKube, type Kube } from "../kube/client.ts";
import { createEventRecorder } from "../kube/events.ts";
import { createNews } from "../page/server/news.ts";
import type { Replica } from "../page/wire.ts";
import type { Logger } from "../report/log.ts";
import type { Metrics } from "../report/metrics.ts";
import { createReporter, type Reporter } from "../report/report.ts";
import { injectConfig } from "../webhook/config.ts";
import { registerWebhookMetrics } from "../webhook/metrics.ts";
import { createWebhook, type Webhook } from "../webhook/server.ts";
import { createAdmin } from "./admin.ts";
import { newIdentity, podOfIdentity, succeedsIn } from "./identity.ts";
import { listen, portOf } from "./listen.ts";
import type { ServeFlags } from "./serve-command.ts";
import { VERSION } from "./version.ts";

export interface Running {
  /** Where the ports really are (with port 0: whatever was free). */
  readonly adminPort: number;
  readonly webhookPort: number | undefined;
  /** Drains: no new work, what was begun is finished, the Lease is given back. */
  stop(): Promise<void>;
}

export interface ServeContext {
  log: Logger;
  metrics: Metrics;
  /** For tests; default: from the flags. */
  kube?: Kube;
}

/** Resolves when the process does all that it was asked to; the admin port answers long before. */
export async function serve(flags: ServeFlags, { log, metrics, kube = connect(flags, metrics) }: ServeContext): Promise<Running> {
  const identity = newIdentity(process.env.POD_NAME ?? hostname());
  const events = createEventRecorder({ kube, log, instance: identity, onDropped: () => metrics.droppedEvents.inc() });
  const news = createNews();
  const reporter = createReporter({ log, metrics, events, heard: news.heard });
  const parts: { handlers?: Handlers; certified?: Certified } = {};
  let draining = false;

  const notReady = (): string | undefined => {
    if (draining) return "stopping";
    if (flags.webhook && !parts.certified?.keeper.ready()) return "no valid certificate that the API server was told to trust";
    return flags.webhook || !flags.handlers || parts.handlers ? undefined : "the handlers have not started";
  };
  const groups = (): GroupView[] => parts.handlers?.groups() ?? [];
  registerGroupMetrics(metrics.registry, groups);
  const startedAt = Date.now();
  const replica = (): Replica => {
    const leader = podOfIdentity(parts.handlers?.leader());
    return {
      pod: podOfIdentity(identity) ?? identity,
      version: VERSION,
      startedAt,
      leads: parts.handlers?.leads() ?? false,
      ...(leader === undefined ? {} : { leader }),
      handlers: parts.handlers !== undefined,
    };
  };
  const failed = (error: unknown): void => {
    metrics.unhandledErrors.inc();
    log.error({ err: error }, "the page could not be made: this is a bug of redis-ha");
  };
  const admin = createAdmin({ metrics, notReady, page: { replica, groups, news, failed } });
  await listen(admin, flags.adminPort);
  metrics.buildInfo.set({ version: VERSION }, 1);
  log.info({ version: VERSION, identity, webhook: flags.webhook, handlers: flags.handlers }, "starting");
  kube.keepWarm();

  const startWebhook = async (): Promise<void> => {
    parts.certified = await serveWebhook({ flags, kube, reporter, log, metrics });
  };
  const startGroups = async (): Promise<void> => {
    const { namespace, watchNamespace } = flags;
    const scope = watchNamespace === undefined ? {} : { watchNamespace };
    const succeeds = succeedsIn(process.env.POD_NAME);
    parts.handlers = await startHandlers({ kube, reporter, log, metrics, namespace, identity, succeeds, ...scope });
  };
  // Side by side: neither waits for the other, and a group's master is followed although the webhook has no certificate yet.
  await Promise.all([flags.webhook ? startWebhook() : undefined, flags.handlers ? startGroups() : undefined]);
  log.info("started");

  return {
    adminPort: portOf(admin.server.address()),
    webhookPort: parts.certified && portOf(parts.certified.webhook.app.server.address()),
    stop: async () => {
      draining = true;
      // First of all, so that another replica takes over the groups at once.
      await parts.handlers?.stop();
      if (parts.certified) {
        // Callers keep their connections: each is asked to go with its next answer, and only then is the port closed.
        parts.certified.webhook.drain();
        await sleep(flags.drainMs);
        await parts.certified.webhook.app.close();
        await parts.certified.keeper.stop();
      }
      await Promise.race([events.flush(), sleep(2000)]);
      await admin.close();
      kube.close();
      log.info("stopped");
    },
  };
}

interface Certified {
  keeper: CertificateKeeper;
  webhook: Webhook;
}

interface WebhookParts {
  flags: ServeFlags;
  kube: Kube;
  reporter: Reporter;
  log: Logger;
  metrics: Metrics;
}

/** Waits for the first certificate, then listens; later ones are put in place under the open connections. */
async function serveWebhook({ flags, kube, reporter, log, metrics }: WebhookParts): Promise<Certified> {
  let webhook: Webhook | undefined;
  let latest: ServingPair | undefined;
  const onPair = (pair: ServingPair): void => {
    webhook?.reloadCertificates(pair);
    latest = pair;
  };
  const { certsDir, namespace, configurationName, publishCa: publish, caLifeMs, leafLifeMs, propagationMs } = flags;
  const config = { caLifeMs, leafLifeMs, propagationMs };
  const keeper =
    certsDir === undefined
      ? keepCertificates({ kube, namespace, configurationName, publish, config, onPair, reporter, metrics, log })
      : watchCertificates({ directory: certsDir, onPair, metrics, log });
  const clientCa = flags.clientCa === undefined ? {} : { clientCa: await readFile(flags.clientCa, "utf8") };
  const first = await keeper.firstPair;
  const created = createWebhook({
    tls: () => latest ?? first,
    ...clientCa,
    ...(flags.clientNames === undefined ? {} : { clientNames: flags.clientNames }),
    config: injectConfig(VERSION, flags),
    logger: log,
    metrics: registerWebhookMetrics(metrics.registry),
  });
  webhook = created;
  await listen(created.app, flags.webhookPort);
  return { keeper, webhook: created };
}

function connect(flags: ServeFlags, metrics: Metrics): Kube {
  return connectKube({
    ...(flags.kubeconfig === undefined ? {} : { kubeconfig: flags.kubeconfig }),
    ...(flags.context === undefined ? {} : { context: flags.context }),
    userAgent: `redis-ha/${VERSION}`,
    onRequest: (method, status, seconds) => metrics.kubeRequests.observe({ method, code: String(status) }, seconds),
  });
}
