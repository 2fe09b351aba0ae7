/** With --client-ca only the API server is answered; it shows the certificate that its AdmissionConfiguration names. */
import { execPath } from "node:process";
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Deployment, Pod } from "../../kube/types.ts";
import { LABEL } from "../../model/names.ts";
import { WEBHOOK_CALLER } from "../cluster/certs.ts";
import { certificateFiles, nodeExec } from "../cluster/cluster.ts";
import { plainPod } from "./lib/admission-load.ts";
import { withNamespace } from "./lib/admission-space.ts";
import { type Bed, install, SYSTEM } from "./lib/bed.ts";
import { test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

/** The Kubernetes CA, which signs the certificates of all parts of the cluster: so the caller's name has to be checked too. */
const FLAGS = ["serve", "--client-ca=/client-ca/ca.crt", `--client-names=${WEBHOOK_CALLER}`];

async function requireCaller(bed: Bed): Promise<void> {
  const volume = { name: "client-ca", configMap: { name: "kube-root-ca.crt" } };
  const container = {
    name: "redis-ha",
    args: FLAGS,
    volumeMounts: [{ name: "client-ca", mountPath: "/client-ca", readOnly: true }],
  };
  const patch = JSON.stringify({ spec: { template: { spec: { containers: [container], volumes: [volume] } } } });
  await bed.kubectl(["-n", SYSTEM, "patch", "deployment", "redis-ha", "--type=strategic", "-p", patch]);
  await bed.kubectl(["-n", SYSTEM, "rollout", "status", "deployment/redis-ha", "--timeout=120s"], { timeoutMs: 130_000 });
}

async function giveBack(bed: Bed): Promise<void> {
  await bed.kubectl(["-n", SYSTEM, "rollout", "undo", "deployment/redis-ha"]);
  await install(bed);
  const { spec } = await bed.kube.get<Deployment>(PATH.deployments(SYSTEM, "redis-ha"));
  expect(spec?.template.spec?.containers[0]?.args).toEqual(["serve"]);
}

/** What a program on the control plane's machine is told that asks with this certificate: a status, or how the connection ended. */
async function ask(cluster: string, address: string, certificate: string | undefined): Promise<string> {
  const files = certificate === undefined ? undefined : certificateFiles(certificate, { name: cluster });
  const program = `
    const { readFileSync } = require("node:fs");
    const { request } = require("node:https");
    const [host, cert, key] = process.argv.slice(1);
    const shown = cert ? { cert: readFileSync(cert), key: readFileSync(key) } : {};
    const options = { host, port: 8443, path: "/mutate/pods", method: "POST", rejectUnauthorized: false, timeout: 5000, ...shown };
    const asked = request(options, (answer) => { console.log(answer.statusCode); process.exit(); });
    asked.on("error", (error) => { console.log(error.code); process.exit(); });
    asked.on("timeout", () => { console.log("timeout"); process.exit(); });
    asked.setHeader("content-type", "application/json");
    asked.end("{}");`;
  const words = [execPath, "-e", program, address, ...(files === undefined ? [] : [files.cert, files.key])];
  const { stdout } = await nodeExec("control-plane", words, { name: cluster, timeoutMs: 20_000 });
  return stdout.trim();
}

test("with --client-ca the API server is answered, and nobody else", async ({ bed }) => {
  if (!("cluster" in bed.where)) throw new Error("this test reads the certificates of a cluster of the cluster tool");
  const { cluster } = bed.where;
  try {
    await requireCaller(bed);
    await withNamespace(bed, async (namespace) => {
      const pod = await bed.kube.create<Pod>(PATH.pods(namespace), plainPod("asks", { "redis-ha.io/cluster": "cache" }));
      expect(pod.metadata?.labels?.[LABEL.instance]).toBeTypeOf("string");
    });
    const address = await waitUntil("an address of redis-ha", 10_000, async () => {
      const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM));
      const ip = items.find(({ metadata }) => metadata?.deletionTimestamp === undefined)?.status?.podIP;
      if (ip === undefined) throw new Error("no pod has one");
      return ip;
    });
    // TLS 1.3: the server's refusal comes as an alert on the connection that seemed open.
    expect(await ask(cluster, address, undefined)).toMatch(/CERTIFICATE_REQUIRED|ECONNRESET/);
    expect(await ask(cluster, address, "scheduler"), "a certificate of the same CA with another name").toBe("403");
    expect(await ask(cluster, address, "webhook-client"), "the review itself is empty").toBe("400");
  } finally {
    await giveBack(bed);
  }
}, 240_000);
