/** The admin port: plain HTTP for probes, Prometheus and people. It is open to the pod network, so it shows no secrets and changes nothing. */

import fastify, { type FastifyInstance } from "fastify";
import { servePage } from "../page/server/routes.ts";
import type { PageSource } from "../page/server/stream.ts";
import type { Metrics } from "../report/metrics.ts";

export interface AdminOptions {
  metrics: Metrics;
  /** Why this replica should get no admissions now; undefined when it should. */
  notReady: () => string | undefined;
  /** What /groups and the page show. */
  page: PageSource;
}

export function createAdmin({ metrics, notReady, page }: AdminOptions): FastifyInstance {
  const app = fastify({ logger: false, forceCloseConnections: true });
  // Alive means that the event loop turns: whether others can be reached is no reason to be killed.
  app.get("/healthz", () => "ok\n");
  app.get("/readyz", (_request, reply) => {
    const why = notReady();
    return why === undefined ? "ok\n" : reply.code(503).send(`${why}\n`);
  });
  app.get("/metrics", async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()));
  app.get("/groups", (_request, reply) => reply.send(page.groups()));
  app.get("/timelines", (_request, reply) => reply.send(page.groups().map(({ group, timelines }) => ({ ...group, timelines }))));
  servePage(app, page);
  return app;
}
