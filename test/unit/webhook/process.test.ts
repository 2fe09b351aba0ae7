/** Two processes of the server over real TLS, under the load of an API server: rotations, and the end of one of them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PATH } from "../../../kube/paths.ts";
import type { MutatingWebhookConfiguration, Secret } from "../../../kube/types.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";
import { type LoadOptions, startLoad } from "./load.ts";
import { review } from "./review.ts";
import { redisPod } from "./support.ts";

const ROOT = join(import.meta.dirname, "../../..");
const CONFIGURATION = PATH.webhookConfigurations("redis-ha");
const SECRET = PATH.secrets("sys", "redis-ha-webhook-tls");
/** After a change an API server goes on for a while with the caBundle that it knew. */
const LAG_MS = 250;

let api: FakeApi;
let folder: string;
let children: ChildProcess[];
const log: string[] = [];

interface Replica {
  readonly port: number;
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  readonly ready: () => Promise<boolean>;
}

async function replica(...flags: string[]): Promise<Replica> {
  const [port, adminPort] = [await freePort(), await freePort()];
  const kubeconfig = join(folder, "kubeconfig");
  const args = ["cli/main.ts", "serve", "--no-handlers", "--namespace=sys", `--kubeconfig=${kubeconfig}`];
  const child = spawn(process.execPath, [...args, `--webhook-port=${port}`, `--admin-port=${adminPort}`, ...flags], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout?.setEncoding("utf8").on("data", (text: string) => log.push(text));
  children.push(child);
  const ready = async (): Promise<boolean> => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined);
    return answer?.ok ?? false;
  };
  const one = { port, child, ended: once(child, "exit"), ready };
  while (!(await ready())) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${log.join("").slice(-2000)}`);
    await sleep(20);
  }
  return one;
}

/** What an API server trusts: the caBundle as it was a little while ago. */
function trust(): () => string {
  const bundle = (): string => {
    const { webhooks } = api.objects.get(CONFIGURATION) as MutatingWebhookConfiguration;
    return Buffer.from(webhooks?.[0]?.clientConfig.caBundle ?? "", "base64").toString();
  };
  const history = [{ at: performance.now(), text: bundle() }];
  const put = api.put;
  // At the very moment of the change: this process may be held up before it sends the next request.
  api.put = (path, object) => {
    const stored = put(path, object);
    if (path === CONFIGURATION) history.push({ at: performance.now(), text: bundle() });
    return stored;
  };
  return () => {
    const now = performance.now();
    return (history.findLast(({ at }) => at <= now - LAG_MS) ?? history[0])?.text ?? "";
  };
}

const load = (ports: () => readonly number[]) => startLoad({ ...LOAD, ports, ca: trust() });
const LOAD: Omit<LoadOptions, "ports" | "ca"> = {
  perSecond: 100,
  servername: "redis-ha-webhook.sys.svc",
  body: JSON.stringify(review(redisPod())),
};

beforeEach(async () => {
  api = await startFakeApi();
  api.put(CONFIGURATION, {
    metadata: { name: "redis-ha" },
    webhooks: [
      { name: "pods.redis-ha.io", clientConfig: {} },
      { name: "workloads.redis-ha.io", clientConfig: {} },
    ],
  } as unknown as MutatingWebhookConfiguration);
  folder = mkdtempSync(join(tmpdir(), "redis-ha-process-"));
  const server = `http://127.0.0.1:${(api.server.address() as AddressInfo).port}`;
  const named = { clusters: [{ name: "a", cluster: { server } }], users: [{ name: "a", user: {} }] };
  const contexts = [{ name: "a", context: { cluster: "a", user: "a" } }];
  writeFileSync(
    join(folder, "kubeconfig"),
    JSON.stringify({ apiVersion: "v1", kind: "Config", ...named, contexts, "current-context": "a" }),
  );
  children = [];
  log.length = 0;
});

afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await api.close();
  rmSync(folder, { recursive: true, force: true });
});

test("ten rotations and two repairs under 100 admissions/s: none fails", async () => {
  const lives = ["--ca-life-ms=18000", "--leaf-life-ms=9000", "--propagation-ms=1500"];
  const replicas = [await replica(...lives), await replica(...lives)];
  const sending = load(() => replicas.map(({ port }) => port));
  const startedAt = performance.now();
  const served = () => sending.certificates.size;
  let spoiled = 0;
  while (served() < 11 && performance.now() - startedAt < 150_000) {
    await sleep(100);
    if (spoiled === 0 && served() >= 4) {
      spoiled += 1;
      api.drop(SECRET);
    } else if (spoiled === 1 && served() >= 7) {
      spoiled += 1;
      const secret = api.objects.get(SECRET) as Secret;
      api.put(SECRET, { ...secret, data: { ...secret.data, "tls.key": "Z2FyYmFnZQ==" } } as Secret);
    }
  }
  const { sent, failures, certificates } = await sending.stop();
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `${sent} admissions (${(sent / seconds).toFixed(0)}/s), ${certificates.size} certificates in ${seconds.toFixed(0)} s`,
  );
  expect(failures).toEqual([]);
  expect(spoiled).toBe(2);
  expect(certificates.size).toBeGreaterThanOrEqual(11);
  expect(log.join("")).toContain("CertificateRepaired");
}, 190_000);

test("SIGTERM under 100 admissions/s: none fails, and the process ends by itself", async () => {
  const replicas = [await replica(), await replica()];
  let ports = replicas.map(({ port }) => port);
  const sending = load(() => ports);
  const startedAt = performance.now();
  await sleep(1000);
  for (const [index, one] of replicas.entries()) {
    // In a cluster the endpoints change before, while preStop sleeps; here a moment after.
    const began = performance.now();
    one.child.kill("SIGTERM");
    await sleep(300);
    expect(await one.ready()).toBe(false);
    ports = ports.filter((port) => port !== one.port);
    expect(await one.ended).toEqual([0, null]);
    expect(performance.now() - began).toBeLessThan(15_000);
    if (index === 0) {
      const next = await replica();
      ports = [...ports, next.port];
      await sleep(500);
    }
  }
  const { sent, failures } = await sending.stop();
  console.log(`${sent} admissions (${((sent * 1000) / (performance.now() - startedAt)).toFixed(0)}/s)`);
  expect(failures).toEqual([]);
  expect(sent).toBeGreaterThan(300);
}, 40_000);

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
