/** The HTTPS server that the API server calls. No call to anything else is made while an admission is answered. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Server } from "node:https";
import type { TLSSocket } from "node:tls";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { pino } from "pino";
import { admit } from "./admit.ts";
import { BODY_LIMIT, readBodies } from "./bodies.ts";
import type { InjectConfig } from "./config.ts";
import type { WebhookMetrics } from "./metrics.ts";
import { answer, parseReview } from "./review.ts";

export interface CertificatePair {
  /** PEM, the leaf first */
  readonly cert: string;
  /** PEM */
  readonly key: string;
}

export interface WebhookOptions {
  /** what to serve with at the start; later pairs come by reloadCertificates() */
  readonly tls: () => CertificatePair;
  /** PEM; when given, only callers with a client certificate of this CA are answered (the API server, if it is configured to show one) */
  readonly clientCa?: string;
  /** with clientCa: the common names that may call; default: every certificate of that CA */
  readonly clientNames?: readonly string[];
  readonly config: InjectConfig;
  readonly logger: pino.Logger;
  readonly metrics: WebhookMetrics;
  /** for tests; default Math.random */
  readonly random?: () => number;
  /** for tests; default Date.now */
  readonly now?: () => number;
  /** for tests; default 1 s: how long a body that comes slowly may hold up others */
  readonly patienceMs?: number;
}

export interface Webhook {
  readonly app: FastifyInstance<Server>;
  /** New connections get the new pair; those that are open live on with the old one. Throws, and keeps the old pair, when the two do not match. */
  readonly reloadCertificates: (pair: CertificatePair) => void;
  /**
   * From now on every answer closes its connection, so that the API server opens the next one to another replica. Call it some seconds before app.close():
   * connections are then given up one by one after an answer, and none is cut under a request.
   */
  readonly drain: () => void;
}

/** Longer than the API server keeps a connection without use, so that it is never the server that closes one under a request. */
const KEEP_ALIVE_MS = 90_000;
/** The API server gives up after timeoutSeconds (5); a body that trickles in for longer is nobody's. */
const REQUEST_MS = 10_000;
/** How often Node looks for such requests; by itself only every 30 s. */
const REQUEST_CHECK_MS = 2_000;

export function createWebhook(options: WebhookOptions): Webhook {
  const { logger, metrics } = options;
  let draining = false;
  const app: FastifyInstance<Server> = fastify({
    https: {
      ...secureOptions(options.tls(), options.clientCa),
      // Node exchanges the two limits where the one for the head is the longer one; by itself it is a minute.
      headersTimeout: REQUEST_MS,
      connectionsCheckingInterval: REQUEST_CHECK_MS,
    },
    logger: false,
    bodyLimit: BODY_LIMIT,
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: REQUEST_MS,
    // While closing, what still comes on open connections is answered, so that a rollout of ours fails no admission.
    return503OnClosing: false,
    forceCloseConnections: "idle",
  });

  readBodies(app, options.patienceMs);

  const { clientNames } = options;
  if (options.clientCa !== undefined && clientNames !== undefined) {
    app.addHook("onRequest", async (request, reply) => {
      const { subject } = (request.raw.socket as TLSSocket).getPeerCertificate();
      if (clientNames.includes(String(subject?.CN))) return;
      return reply.code(403).send({ error: "this caller may not ask for admissions" });
    });
  }

  const review = (request: FastifyRequest, reply: FastifyReply): unknown => handle(options, request, reply);
  app.post("/mutate/pods", review);
  app.post("/mutate/workloads", review);

  // Fastify sets this header when a request begins; one that began before the closing would keep its connection, and the closing would wait for it.
  app.addHook("onSend", async (_request, reply) => {
    if (draining) reply.header("connection", "close");
  });
  app.addHook("preClose", async () => {
    draining = true;
  });

  app.setErrorHandler((error: Error & { readonly statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) {
      metrics.failures.inc();
      logger.error({ err: error }, "admission failed by a bug of redis-ha");
    } else {
      metrics.malformed.inc();
      logger.info({ status, error: error.message }, "request refused");
    }
    return reply.code(status).send({ error: status >= 500 ? "internal error of redis-ha, see its log" : error.message });
  });

  return {
    app,
    reloadCertificates: (pair) => app.server.setSecureContext(secureOptions(pair, options.clientCa)),
    drain: () => {
      draining = true;
    },
  };
}

function handle({ config, logger, metrics, random, now }: WebhookOptions, request: FastifyRequest, reply: FastifyReply): unknown {
  const started = process.hrtime.bigint();
  const review = parseReview(request.body);
  if ("problem" in review) {
    metrics.malformed.inc();
    logger.info({ problem: review.problem }, "request refused");
    return reply.code(400).send({ error: review.problem });
  }
  const admission = admit(review, { config, random: random ?? Math.random, now: now ?? Date.now });
  const { outcome, subject, denied, operations, warnings } = admission;
  const kind = KINDS.includes(review.kind.kind) ? review.kind.kind : "other";
  metrics.admissions.inc({ kind, outcome });
  metrics.seconds.observe({ kind }, Number(process.hrtime.bigint() - started) / 1e9);
  const line = { uid: review.uid, subject, outcome, operations: operations.length, warnings, dryRun: review.dryRun === true };
  if (denied === undefined) logger.debug(line, "admission");
  else logger.info({ ...line, message: denied.message }, "admission denied");
  return reply.send(answer(review.uid, admission));
}

/** others are counted as one, so that a caller cannot make series */
const KINDS = ["Pod", "Deployment", "StatefulSet"];

/** Throws when certificate and key do not belong together: Node itself takes an empty pair without a word, and then fails every handshake. */
function secureOptions({ cert, key }: CertificatePair, clientCa: string | undefined): object {
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
    throw new Error("the certificate and the key do not belong together");
  const client = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { cert, key, minVersion: "TLSv1.2", ...client };
}
