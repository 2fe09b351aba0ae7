/**
 * Keeps the webhook's certificates: the Secret, the caBundle, and what this replica serves. Every replica runs it; all writes are conditional.
 * Events of the two watches only wake the loop; each round reads both objects anew and does the next thing that the plan asks for.
 */

import { setTimeout as sleep } from "node:timers/promises";
import type { Kube } from "../kube/client.ts";
import { isConflict, isNotFound } from "../kube/error.ts";
import { PATH } from "../kube/paths.ts";
import type { MutatingWebhookConfiguration, ObjectRef, Secret } from "../kube/types.ts";
import { watchObjects } from "../kube/watch.ts";
import { REASON } from "../model/reasons.ts";
import type { Logger } from "../report/log.ts";
import type { Metrics } from "../report/metrics.ts";
import type { Reporter } from "../report/report.ts";
import { type Inspection, inspect, type Leaf, type Material } from "./inspect.ts";
import { type CertConfig, DEFAULT_CERT_CONFIG, type Published, planBundle, planSecret, planServing } from "./plan.ts";
import { createPublication, publish } from "./publication.ts";
import { makeMaterial, materialOf, writeSecret } from "./secret.ts";

export interface ServingPair {
  cert: string;
  key: string;
  /** The CA that signed it. */
  ca: string;
}

export interface KeeperOptions {
  kube: Kube;
  namespace: string;
  /** Default redis-ha-webhook-tls. */
  secretName?: string;
  /** Default redis-ha-webhook. */
  serviceName?: string;
  /** The MutatingWebhookConfiguration. Default redis-ha. */
  configurationName?: string;
  config?: Partial<CertConfig>;
  /**
   * False where we have no right on the configuration and a person writes the caBundle (a namespaced installation): then the CA lives ten times as long, and a
   * Secret that was deleted is written again as it was, for a new CA would be one that nobody trusts. Default true.
   */
  publish?: boolean;
  /** A pair to serve from now on. Throws when it cannot: then the former stays in use, and it is tried again. */
  onPair: (pair: ServingPair) => void;
  reporter: Reporter;
  metrics: Metrics;
  log: Logger;
  /** How often everything is looked at without a reason. Default 60 s. */
  pollMs?: number;
}

export interface CertificateKeeper {
  /** Resolves when there is something to serve. */
  readonly firstPair: Promise<ServingPair>;
  /** Serving a certificate that is valid, and that the API server was told to trust. */
  ready(): boolean;
  stop(): Promise<void>;
}

/** The names under which the API server, or a person in the cluster, calls the webhook. */
export const dnsNames = (service: string, namespace: string): string[] => [
  `${service}.${namespace}.svc`,
  service,
  `${service}.${namespace}`,
  `${service}.${namespace}.svc.cluster.local`,
];

const RETRY_MS = { first: 100, most: 5000 } as const;
/** More writes in a row than any change needs: something fights with us, or a clock is wrong. Then slowly. */
const MANY_WRITES = 4;
const MANY_CONFLICTS = 10;
/** How much longer a CA lives that a person has to publish. */
const LONG_CA_LIFE = 10;

export function keepCertificates(options: KeeperOptions): CertificateKeeper {
  const { kube, namespace, log } = options;
  const secretName = options.secretName ?? "redis-ha-webhook-tls";
  const configurationName = options.configurationName ?? "redis-ha";
  const names = dnsNames(options.serviceName ?? "redis-ha-webhook", namespace);
  const publishes = options.publish ?? true;
  const given: CertConfig = { ...DEFAULT_CERT_CONFIG, ...options.config };
  const config = publishes ? given : { ...given, caLifeMs: given.caLifeMs * LONG_CA_LIFE };
  const pollMs = options.pollMs ?? 60_000;
  const stopping = new AbortController();
  const first = Promise.withResolvers<ServingPair>();
  const publication = createPublication();
  let serving: Leaf | undefined;
  let published: Published | undefined;
  let woken = false;
  let wake = Promise.withResolvers<void>();
  let writes = 0;
  /** Only where nobody but a person publishes: the last good Secret. */
  let known: Material | undefined;

  const onEvent = (): void => {
    woken = true;
    wake.resolve();
  };

  /** Does one thing. Returns how long to sleep if nothing wakes us. */
  async function round(): Promise<number> {
    const [secret, configuration] = await Promise.all([
      kube.get<Secret>(PATH.secrets(namespace, secretName)).catch(undefinedIfNotFound),
      publishes
        ? kube.get<MutatingWebhookConfiguration>(PATH.webhookConfigurations(configurationName)).catch(undefinedIfNotFound)
        : undefined,
    ]);
    const nowMs = Date.now();
    published = publication.see(configuration, nowMs);
    const inspection = secret && inspect(materialOf(secret), names, nowMs);
    if (!publishes && secret && inspection?.signer.ok && inspection.leaf.ok) known = materialOf(secret);
    if (known && !inspection?.signer.ok) return restore(known, secret);
    // Before anything is written: several writes in a row, each of which may take its time, must not hold back what is good already.
    if (serving) serveBest(inspection, published, nowMs);
    const plan = planSecret(inspection, published, config, nowMs);
    if (plan.kind === "write") {
      const material = await makeMaterial(plan, secret ? materialOf(secret) : {}, names, config, nowMs);
      const written = await writeSecret(kube, namespace, secretName, secret, material);
      const parts = [plan.authority === "new" ? "CA" : "", plan.leaf === "new" ? "serving certificate" : ""].filter(Boolean);
      options.reporter.report({
        reason: plan.reason,
        message: `New ${parts.join(" and ")}: ${plan.why}`,
        involved: [refOf(written)],
      });
      writes += 1;
      return writes < MANY_WRITES ? 0 : RETRY_MS.most;
    }
    if (!inspection?.leaf.ok) return RETRY_MS.most;
    const bundle = planBundle(inspection, published);
    if (configuration?.webhooks?.length && bundle !== undefined) {
      await publish(kube, configuration, bundle);
      log.info({ authorities: inspection.authorities.length }, "published the CA to the API server");
      writes += 1;
      return writes < MANY_WRITES ? 0 : RETRY_MS.most;
    }
    writes = 0;
    const newest = inspection.leaf.value;
    serveBest(inspection, published, nowMs);
    const heldBackMs = serving?.cert === newest.cert ? pollMs : config.propagationMs - published.ageMs(newest.issuer);
    return Math.min(Math.max(Math.min(plan.atMs - nowMs, heldBackMs), 20), pollMs);
  }

  async function restore(material: Material, present: Secret | undefined): Promise<number> {
    const written = await writeSecret(kube, namespace, secretName, present, material);
    const message = `The Secret was ${present ? "damaged" : "deleted"}; it is written again as it was`;
    options.reporter.report({ reason: REASON.CertificateRepaired, message, involved: [refOf(written)] });
    return 0;
  }

  function serveBest(inspection: Inspection | undefined, now: Published, nowMs: number): void {
    const leaf = planServing(inspection?.leaf.ok ? inspection.leaf.value : undefined, serving, now, config, nowMs);
    if (!leaf || leaf === serving) return;
    const pair: ServingPair = { cert: leaf.cert, key: leaf.key, ca: leaf.issuer.pem };
    options.onPair(pair);
    serving = leaf;
    first.resolve(pair);
    options.metrics.certificateExpiry.set({ certificate: "leaf" }, leaf.to / 1000);
    options.metrics.certificateExpiry.set({ certificate: "ca" }, leaf.issuer.to / 1000);
    log.info({ until: new Date(leaf.to).toISOString() }, "serving a new certificate");
  }

  async function run(): Promise<void> {
    let retryMs: number = RETRY_MS.first;
    let conflicts = 0;
    while (!stopping.signal.aborted) {
      woken = false;
      wake = Promise.withResolvers();
      let pauseMs: number;
      try {
        pauseMs = await round();
        retryMs = RETRY_MS.first;
        conflicts = 0;
      } catch (error) {
        // Another replica was faster: look again at once. Anything else is no reason to stop serving what we have.
        if (isConflict(error) && conflicts < MANY_CONFLICTS) {
          conflicts += 1;
          pauseMs = Math.random() * 50;
        } else {
          log.warn({ err: error }, "could not look after the certificates");
          pauseMs = retryMs;
          retryMs = Math.min(retryMs * 2, RETRY_MS.most);
        }
      }
      if (pauseMs <= 0 || woken) continue;
      await Promise.race([sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined), wake.promise]);
    }
  }

  const watchOne = (path: string, name: string) =>
    watchObjects({ kube, path, fieldSelector: `metadata.name=${name}`, onEvent, log });
  const watches = [
    watchOne(PATH.secrets(namespace), secretName),
    ...(publishes ? [watchOne(PATH.webhookConfigurations(), configurationName)] : []),
  ];
  const running = run();

  return {
    firstPair: first.promise,
    ready: () => {
      if (!serving || !published || serving.to <= Date.now()) return false;
      return published.ageMs(serving.issuer) > 0;
    },
    stop: async () => {
      stopping.abort();
      for (const watch of watches) watch.stop();
      await running;
    },
  };
}

function undefinedIfNotFound(error: unknown): undefined {
  if (!isNotFound(error)) throw error;
}

function refOf(secret: Secret): ObjectRef {
  const { namespace, name = "", uid } = secret.metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Secret",
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
  };
}
