/** overlays/cert-manager with the real cert-manager: admission works, and a renewal under load loses nothing. `npm run test:cert-manager` */
import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import { beforeAll, expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { MutatingWebhookConfiguration, Pod, Secret } from "../../kube/types.ts";
import { LABEL } from "../../model/names.ts";
import { buildCertManager, kubeconfigPath, nodeExec } from "../cluster/cluster.ts";
import { plainPod, startAdmissions } from "../e2e/lib/admission-load.ts";
import { withNamespace } from "../e2e/lib/admission-space.ts";
import { type Bed, PROJECT, SYSTEM } from "../e2e/lib/bed.ts";
import { askedBy } from "../e2e/lib/rights.ts";
import { test } from "../e2e/lib/scenario.ts";
import { say, waitUntil } from "../e2e/lib/wait.ts";

const OVERLAY = join(PROJECT, "manifests", "overlays", "cert-manager");
const CERTIFICATE = `/apis/cert-manager.io/v1/namespaces/${SYSTEM}/certificates/redis-ha-webhook`;
const PER_SECOND = 50;
/** The kubelet looks at a pod's volumes once in a minute or so. */
const MOUNTED_MS = 180_000;
/** The first time on a machine it is built from source. */
const BUILD_MS = 1_200_000;

interface Certificate {
  readonly metadata: object;
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

let programs = "";
beforeAll(async () => {
  programs = await buildCertManager();
}, BUILD_MS);

/** Runs it beside the API server, as the cluster tool runs CoreDNS; ends it afterwards. */
async function withCertManager(bed: Bed, cluster: string, use: () => Promise<void>): Promise<void> {
  await bed.kubectl(["apply", "--server-side", "-f", join(programs, "crds")]);
  // kubectl itself fails on one that has no conditions yet.
  await waitUntil("cert-manager's kinds", 60_000, async () => {
    const kinds = ["crd/certificates.cert-manager.io", "crd/issuers.cert-manager.io"];
    await bed.kubectl(["wait", "--for=condition=Established", "--timeout=30s", ...kinds]);
  });
  const kubeconfig = kubeconfigPath({ name: cluster });
  const log = join(kubeconfig, "..", "logs", "cert-manager.log");
  const child = spawn(join(programs, "cert-manager"), [kubeconfig], {
    stdio: ["ignore", openSync(log, "a"), openSync(log, "a")],
  });
  try {
    const ended = once(child, "exit").then(([code]: unknown[]) => {
      throw new Error(`cert-manager ended with ${String(code)}, see ${log}`);
    });
    await Promise.race([use(), ended]);
  } finally {
    child.kill("SIGTERM");
  }
}

async function leafOf(bed: Bed): Promise<{ leaf: string; ca: string }> {
  const { data } = await bed.kube.get<Secret>(PATH.secrets(SYSTEM, "redis-ha-webhook-cert"));
  const text = (key: string): string => Buffer.from(data?.[key] ?? "", "base64").toString();
  return { leaf: new X509Certificate(text("tls.crt")).serialNumber, ca: text("ca.crt") };
}

/** The serial number of what a replica serves. */
async function served(cluster: string, address: string): Promise<string> {
  const program = `
    const socket = require("node:tls").connect({ host: process.argv[1], port: 8443, rejectUnauthorized: false }, () => {
      console.log(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });`;
  const { stdout } = await nodeExec("control-plane", [execPath, "-e", program, address], { name: cluster, timeoutMs: 20_000 });
  return stdout.trim();
}

/** As `cmctl renew` asks for it. */
async function renew(bed: Bed): Promise<void> {
  const certificate = await bed.kube.get<Certificate>(CERTIFICATE);
  const condition = {
    type: "Issuing",
    status: "True",
    reason: "ManuallyTriggered",
    message: "asked for by a test",
    lastTransitionTime: new Date().toISOString().replace(/\.\d+Z/, "Z"),
  };
  const conditions = [...(certificate.status?.conditions ?? []).filter(({ type }) => type !== "Issuing"), condition];
  await bed.kube.replace(`${CERTIFICATE}/status`, { ...certificate, status: { ...certificate.status, conditions } });
}

test("with cert-manager: the certificate is its own, admission works, and a renewal loses nothing", async ({ bed }) => {
  if (!("cluster" in bed.where)) throw new Error("cert-manager is started beside a cluster of the cluster tool");
  const { cluster } = bed.where;
  await withCertManager(bed, cluster, async () => {
    await bed.kubectl(["apply", "-k", OVERLAY]);
    await bed.kubectl(["-n", SYSTEM, "rollout", "status", "deployment/redis-ha", "--timeout=150s"], { timeoutMs: 160_000 });
    const first = await waitUntil("the caBundle from cert-manager's injector", 60_000, async () => {
      const found = await leafOf(bed);
      const { webhooks } = await bed.kube.get<MutatingWebhookConfiguration>(PATH.webhookConfigurations("redis-ha"));
      for (const { clientConfig } of webhooks ?? []) {
        // Newer versions add it to what was trusted before.
        const trusted = Buffer.from(clientConfig.caBundle ?? "", "base64").toString();
        if (!trusted.includes(found.ca.trim())) throw new Error("it is not in it");
      }
      return found;
    });
    const replicas = await waitUntil("the two new replicas alone", 60_000, async () => {
      const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM));
      if (items.length !== 2) throw new Error(`there are ${items.length} pods`);
      return items.map(({ metadata, status }) => ({ name: metadata?.name ?? "", address: status?.podIP ?? "" }));
    });
    await withNamespace(bed, async (namespace) => {
      const pod = await bed.kube.create<Pod>(PATH.pods(namespace), plainPod("asks", { "redis-ha.io/cluster": "cache" }));
      expect(pod.metadata?.labels?.[LABEL.instance]).toBeTypeOf("string");

      const load = await startAdmissions(bed, namespace, PER_SECOND);
      await renew(bed);
      const second = await waitUntil("another leaf in the Secret", 60_000, async () => {
        const now = await leafOf(bed);
        if (now.leaf === first.leaf) throw new Error("it is still the first");
        return now;
      });
      await waitUntil("both replicas serving it", MOUNTED_MS, async () => {
        const serials = await Promise.all(replicas.map(async ({ address }) => await served(cluster, address)));
        if (serials.some((serial) => serial !== second.leaf)) throw new Error(`they serve ${serials.join(" and ")}`);
      });
      const { sent, failures, seconds } = await load.stop();
      say(`${sent} admissions in ${seconds.toFixed(0)} s over the renewal, ${failures.length} failed`);
      expect(failures.slice(0, 20)).toEqual([]);
      expect(second.ca, "the CA stays").toBe(first.ca);
    });
    // The replicas that went kept their certificate themselves to the end, when that right was gone already.
    const asked = await askedBy(
      SYSTEM,
      cluster,
      replicas.map(({ name }) => name),
    );
    expect(asked.used.size, "the audit log names pods").toBeGreaterThan(10);
    expect([...asked.denied.keys()]).toEqual([]);
  });
});
