import { X509Certificate } from "node:crypto";
import { createServer, get, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type CertificateKeeper, type KeeperOptions, keepCertificates, type ServingPair } from "../../../certs/keeper.ts";
import { PATH } from "../../../kube/paths.ts";
import type { MutatingWebhookConfiguration, Secret } from "../../../kube/types.ts";
import type { Reason } from "../../../model/reasons.ts";
import { silentLog } from "../../../report/log.ts";
import { createMetrics } from "../../../report/metrics.ts";
import { type FakeApi, kubeOf, startFakeApi } from "../kube/fake-api.ts";

const SECRET = PATH.secrets("sys", "redis-ha-webhook-tls");
const CONFIGURATION = PATH.webhookConfigurations("redis-ha");

let api: FakeApi;
let replicas: { keeper: CertificateKeeper; pairs: ServingPair[]; close: () => void }[];
let reasons: Reason[];

function replica(options: Partial<KeeperOptions> = {}) {
  const kube = kubeOf(api.server);
  const pairs: ServingPair[] = [];
  const keeper = keepCertificates({
    kube,
    namespace: "sys",
    config: { propagationMs: 100 },
    onPair: (pair) => void pairs.push(pair),
    reporter: { report: ({ reason }) => void reasons.push(reason) },
    metrics: createMetrics(),
    log: silentLog(),
    ...options,
  });
  const one = { keeper, pairs, close: () => kube.close() };
  replicas.push(one);
  return one;
}

const secret = (): Secret => api.objects.get(SECRET) as Secret;
const bundle = (): string => {
  const { webhooks } = api.objects.get(CONFIGURATION) as MutatingWebhookConfiguration;
  const texts = new Set(
    (webhooks ?? []).map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? "", "base64").toString()),
  );
  expect(texts.size).toBe(1);
  return [...texts][0] ?? "";
};
const freshConfiguration = () => ({
  metadata: { name: "redis-ha" },
  webhooks: [
    { name: "pods.redis-ha.io", clientConfig: {} },
    { name: "workloads.redis-ha.io", clientConfig: {} },
  ],
});
const ready = (): Promise<void> =>
  vi.waitFor(() => expect(replicas.every(({ keeper }) => keeper.ready())).toBe(true), { interval: 5, timeout: 15_000 });

beforeEach(async () => {
  api = await startFakeApi();
  api.put(CONFIGURATION, freshConfiguration());
  replicas = [];
  reasons = [];
});

afterEach(async () => {
  await Promise.all(replicas.map(({ keeper }) => keeper.stop()));
  for (const { close } of replicas) close();
  await api.close();
});

describe("keepCertificates", () => {
  test("two replicas that start at once agree on one CA, made once", async () => {
    const [one, two] = [replica(), replica()];
    await ready();
    expect(one.pairs).toEqual(two.pairs);
    expect(one.pairs.length).toBe(1);
    expect(reasons).toEqual(["CertificateCreated"]);
    expect(bundle()).toBe(one.pairs[0]?.ca);
    expect(secret()).toMatchObject({ type: "kubernetes.io/tls" });
  });

  test("two replicas that see the same damage agree on one repair, made once", async () => {
    const [one, two] = [replica(), replica()];
    await ready();
    api.put(SECRET, { ...secret(), data: { ...secret().data, "tls.key": "Z2FyYmFnZQ==" } } as Secret);
    await vi.waitFor(() => expect(one.pairs.length).toBe(2), { timeout: 15_000 });
    await vi.waitFor(() => expect(two.pairs.at(-1)).toEqual(one.pairs.at(-1)), { timeout: 15_000 });
    expect(reasons).toEqual(["CertificateCreated", "CertificateRepaired"]);
  });

  test("the pair serves TLS for the Service's names under the published CA", async () => {
    const { keeper } = replica();
    const { cert, key } = await keeper.firstPair;
    await ready();
    const server = createServer({ cert, key }, (_request, response) => response.end("ok"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    for (const servername of [
      "redis-ha-webhook.sys.svc",
      "redis-ha-webhook",
      "redis-ha-webhook.sys",
      "redis-ha-webhook.sys.svc.cluster.local",
    ]) {
      expect(await call(server, bundle(), servername)).toBe(200);
    }
    await expect(call(server, bundle(), "other.sys.svc")).rejects.toThrow(/altnames/);
    server.close();
  });

  test("a Secret that is deleted or spoiled is repaired, and the old pair is served until the new one is trusted", async () => {
    const one = replica();
    await ready();
    const before = bundle();
    api.drop(SECRET);
    await vi.waitFor(() => expect(one.pairs.length).toBe(2), { interval: 5, timeout: 3000 });
    expect(reasons).toEqual(["CertificateCreated", "CertificateRepaired"]);
    expect(bundle()).toContain(before);
    expect(bundle()).toContain(one.pairs[1]?.ca);
    api.put(SECRET, { ...secret(), data: { ...secret().data, "tls.key": "Z2FyYmFnZQ==" } } as Secret);
    await vi.waitFor(() => expect(one.pairs.length).toBe(3), { interval: 5, timeout: 3000 });
    expect(one.pairs[2]?.ca).toBe(one.pairs[1]?.ca);
    expect(reasons.at(-1)).toBe("CertificateRepaired");
    expect(one.keeper.ready()).toBe(true);
  });

  test("a caBundle that was removed, and a configuration that was made anew, are filled in again", async () => {
    replica();
    await ready();
    const before = bundle();
    api.put(CONFIGURATION, freshConfiguration());
    await vi.waitFor(() => expect(bundle()).toBe(before), { interval: 5 });
    api.drop(CONFIGURATION);
    api.put(CONFIGURATION, freshConfiguration());
    await vi.waitFor(() => expect(bundle()).toBe(before), { interval: 5 });
  });

  test("without a configuration it serves and is ready, and publishes when one appears", async () => {
    api.drop(CONFIGURATION);
    const one = replica();
    await ready();
    api.put(CONFIGURATION, freshConfiguration());
    await vi.waitFor(() => expect(bundle()).toBe(one.pairs[0]?.ca), { interval: 5 });
  });

  test("with nothing to do it asks nothing", async () => {
    replica();
    await ready();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = api.seen.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(api.seen.slice(before)).toEqual([]);
  });

  test("where a person publishes: no look at the configuration, a long CA, and a Secret that is lost is written again as it was", async () => {
    const one = replica({ publish: false });
    await ready();
    expect(new X509Certificate(one.pairs[0]?.ca ?? "").validToDate.getTime() - Date.now()).toBeGreaterThan(3600 * 86_400_000);
    const { data } = secret();
    await vi.waitFor(() => expect(api.watches()).toBe(1), { interval: 5 });
    api.drop(SECRET);
    await vi.waitFor(() => expect(secret()?.data).toEqual(data), { interval: 5, timeout: 3000 });
    api.put(SECRET, { ...secret(), data: { ...data, "ca.key": "Z2FyYmFnZQ==" } } as Secret);
    await vi.waitFor(() => expect(secret().data).toEqual(data), { interval: 5, timeout: 3000 });
    await vi.waitFor(() => expect(reasons).toEqual(["CertificateCreated", "CertificateRepaired", "CertificateRepaired"]));
    expect(one.pairs.length).toBe(1);
    expect(api.seen.filter((line) => line.includes("mutatingwebhookconfigurations"))).toEqual([]);
  });

  test("a pair that cannot be served is tried again, the old one stays", async () => {
    let broken = true;
    const served: string[] = [];
    const one = replica({
      onPair: ({ cert }) => {
        if (broken) throw new Error("key values mismatch");
        served.push(cert);
      },
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(one.keeper.ready()).toBe(false);
    broken = false;
    await ready();
    expect(served.length).toBe(1);
  });

  test("goes on when the API server was away", async () => {
    let away = true;
    api.fault = (_request, response) => {
      if (away) response.writeHead(503).end("{}");
      return away;
    };
    replica();
    await new Promise((resolve) => setTimeout(resolve, 300));
    away = false;
    await ready();
  });

  test("rotations of CA and leaf: what is served is always trusted, also by an API server that lags behind", async () => {
    const lives = { caLifeMs: 5000, leafLifeMs: 3000, propagationMs: 400 };
    const [one, two] = [replica({ config: lives }), replica({ config: lives })];
    await ready();
    const LAG_MS = 200;
    const history = [{ at: performance.now(), text: bundle() }];
    const put = api.put;
    // At the very moment of the change: this process may be held up before it looks the next time.
    api.put = (path, object) => {
      const stored = put(path, object);
      if (path === CONFIGURATION) history.push({ at: performance.now(), text: bundle() });
      return stored;
    };
    const failures: string[] = [];
    const startedAt = performance.now();
    while (performance.now() - startedAt < 7500) {
      const lagging = history.findLast(({ at }) => at <= performance.now() - LAG_MS)?.text ?? history[0]?.text ?? "";
      for (const { pairs } of [one, two])
        if (!lagging.includes(pairs.at(-1)?.ca ?? "none")) failures.push(`at ${performance.now() - startedAt} ms`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(failures).toEqual([]);
    const authorities = new Set(one.pairs.map(({ ca }) => ca));
    expect(authorities.size).toBeGreaterThanOrEqual(2);
    expect(one.pairs.length).toBeGreaterThanOrEqual(3);
    // A machine that stands still for seconds lets such a short life end: that is repaired, and counts as such.
    expect(reasons).toEqual(expect.arrayContaining(["CertificateCreated", "CertificateRenewed"]));
  }, 20_000);
});

function call(server: Server, ca: string, servername: string): Promise<number> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, ca, servername, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on("error", reject);
  });
}
