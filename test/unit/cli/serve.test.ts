import { get } from "node:http";
import { Agent, request } from "node:https";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Running, serve } from "../../../cli/serve.ts";
import { serveCommand } from "../../../cli/serve-command.ts";
import { PATH } from "../../../kube/paths.ts";
import type { MutatingWebhookConfiguration } from "../../../kube/types.ts";
import { silentLog } from "../../../report/log.ts";
import { createMetrics } from "../../../report/metrics.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";

let api: FakeApi;
let running: Running | undefined;

const FLAGS = {
  webhook: true,
  handlers: true,
  namespace: "sys",
  adminPort: 0,
  webhookPort: 0,
  drainMs: 100,
  publishCa: true,
  configurationName: "redis-ha",
  caLifeMs: 86_400_000,
  leafLifeMs: 86_400_000,
  propagationMs: 100,
  logLevel: "silent",
} as const;

const start = async (flags: Partial<typeof FLAGS> | object = {}): Promise<Running> => {
  running = await serve({ ...FLAGS, ...flags }, { log: silentLog(), metrics: createMetrics(), kube: api.kube });
  return running;
};

const admin = (path: string): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port: running?.adminPort, path, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    }).on("error", reject);
  });

beforeEach(async () => {
  api = await startFakeApi();
  api.put(PATH.webhookConfigurations("redis-ha"), {
    metadata: { name: "redis-ha" },
    webhooks: [{ name: "pods.redis-ha.io", clientConfig: {} }],
  } as unknown as MutatingWebhookConfiguration);
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  await api.close();
});

const review = {
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    uid: "u1",
    kind: { group: "", version: "v1", kind: "Pod" },
    resource: { group: "", version: "v1", resource: "pods" },
    operation: "CREATE",
    namespace: "default",
    object: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "a", annotations: { "redis-ha.io/cluster": "cache" } },
      spec: { containers: [{ name: "redis", image: "redis:7" }] },
    },
  },
};

function admit(
  port: number | undefined,
  agent: Agent,
): Promise<{ status: number; connection: string | undefined; body: { response?: { allowed?: boolean } } }> {
  const configuration = api.objects.get(PATH.webhookConfigurations("redis-ha")) as MutatingWebhookConfiguration;
  const ca = Buffer.from(configuration.webhooks?.[0]?.clientConfig.caBundle ?? "", "base64").toString();
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const options = {
      host: "127.0.0.1",
      port,
      path: "/mutate/pods",
      method: "POST",
      ca,
      servername: "redis-ha-webhook.sys.svc",
      agent,
      headers,
    };
    const call = request(options, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, connection: response.headers.connection, body: JSON.parse(body) }),
      );
    });
    call.on("error", reject);
    call.end(JSON.stringify(review));
  });
}

describe("serve", () => {
  test("from nothing: certificates, a ready admin port, an admission", async () => {
    await start();
    expect(await admin("/healthz")).toEqual({ status: 200, body: "ok\n" });
    expect(await admin("/readyz")).toEqual({ status: 200, body: "ok\n" });
    expect(JSON.parse((await admin("/groups")).body)).toEqual([]);
    const metrics = (await admin("/metrics")).body;
    expect(metrics).toContain("redis_ha_certificate_expiry_timestamp_seconds");
    expect(metrics).toContain("redis_ha_admissions_total");
    const agent = new Agent({ keepAlive: true });
    expect(await admit(running?.webhookPort, agent)).toMatchObject({ status: 200, body: { response: { allowed: true } } });
    agent.destroy();
  });

  test("stopping: not ready, the Lease given back, connections asked to go, then closed", async () => {
    const one = await start({ drainMs: 400 });
    const lease = PATH.leases("sys", "redis-ha-handlers");
    await expect
      .poll(() => api.objects.get(lease))
      .toMatchObject({ spec: { holderIdentity: expect.stringMatching(/_[0-9a-f]{8}$/) } });
    const agent = new Agent({ keepAlive: true });
    expect((await admit(one.webhookPort, agent)).connection).toBe("keep-alive");
    const stopping = one.stop();
    await expect.poll(() => api.objects.get(lease)).toMatchObject({ spec: { holderIdentity: "" } });
    expect(await admin("/readyz")).toEqual({ status: 503, body: "stopping\n" });
    expect(await admit(one.webhookPort, agent)).toMatchObject({ status: 200, connection: "close" });
    await stopping;
    running = undefined;
    await expect(admit(one.webhookPort, agent)).rejects.toThrow(/ECONNREFUSED/);
    agent.destroy();
  });

  test("the page: who answers, whether it leads, and no reader holds up the stop", async () => {
    const one = await start({ webhook: false });
    expect((await admin("/")).body).toContain("<title>redis-ha</title>");
    let heard = "";
    const ended = new Promise<void>((resolve) => {
      get({ host: "127.0.0.1", port: one.adminPort, path: "/page/stream", agent: false }, (stream) => {
        stream.setEncoding("utf8").on("data", (chunk) => {
          heard += chunk;
        });
        stream.on("close", resolve).on("error", () => undefined);
      });
    });
    const identity = (api.objects.get(PATH.leases("sys", "redis-ha-handlers")) as { spec?: { holderIdentity?: string } }).spec;
    const pod = identity?.holderIdentity?.replace(/_[0-9a-f]{8}$/, "");
    await expect.poll(() => heard, { timeout: 3000 }).toContain(`"pod":"${pod}"`);
    await expect.poll(() => heard, { timeout: 3000 }).toMatch(/"leads":true,"leader":"[^"_]+","handlers":true/);
    await one.stop();
    running = undefined;
    await ended;
  });

  test("--no-webhook needs no certificate, --no-handlers takes no Lease", async () => {
    await start({ webhook: false });
    expect((await admin("/readyz")).status).toBe(200);
    expect(api.objects.has(PATH.secrets("sys", "redis-ha-webhook-tls"))).toBe(false);
    await running?.stop();
    running = undefined;
    await api.close();
    api = await startFakeApi();
    await start({ handlers: false });
    expect((await admin("/readyz")).status).toBe(200);
    expect([...api.objects.keys()].filter((path) => !path.includes("/events/"))).toEqual([
      PATH.secrets("sys", "redis-ha-webhook-tls"),
    ]);
  });
});

describe("flags", () => {
  const parse = (...args: string[]) => {
    let flags: unknown;
    const command = serveCommand()
      .exitOverride()
      .configureOutput({ writeErr: () => undefined })
      .action((found: unknown) => {
        flags = found;
      });
    command.parse(args, { from: "user" });
    return flags;
  };

  test("defaults", () => {
    expect(parse()).toMatchObject({
      webhook: true,
      handlers: true,
      adminPort: 8080,
      webhookPort: 8443,
      drainMs: 2000,
      logLevel: "info",
    });
  });

  test.each([["--admin-port=http"], ["--log-level=loud"], ["--nonsense"], ["--boot-image-pull-policy=Sometimes"]])(
    "%s is refused",
    (flag) => {
      expect(() => parse(flag)).toThrow();
    },
  );
});
