import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Api, connectApi } from "./api.ts";
import { type Binaries, buildBinaries } from "./build/all.ts";
import { installPackages } from "./build/debian.ts";
import { makeCertificates } from "./certs.ts";
import { makeCgroup } from "./cgroups.ts";
import { removeCluster } from "./cleanup.ts";
import { apiServerLog, startApiServer, startControllers } from "./controlplane.ts";
import { saveHostSettings } from "./host-settings.ts";
import { archivesOf } from "./images/catalog.ts";
import { copyStore, seedStore } from "./images/store.ts";
import { hostServer, writeKubeconfig } from "./kubeconfig.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { withLock } from "./lock.ts";
import { makeNetwork } from "./network.ts";
import { startContainerd, startKubelet } from "./node.ts";
import { createBaseObjects } from "./objects.ts";
import { CACHE } from "./paths.ts";
import { waitFor } from "./process.ts";
import { say, step } from "./progress.ts";
import { waitForDns, waitForNodes } from "./ready.ts";
import { checkName, createRecord, readRecord, writeRecord } from "./state.ts";
import { kubernetesVersion, PAUSE_IMAGE } from "./versions.ts";

export type UpOptions = {
  name?: string;
  nodes?: number;
  /** A minor version ("1.37") or a full one. */
  kubernetes?: string;
  /** Images to have on every node at the start, by name or as tar files; redis:7 by default. */
  images?: readonly string[];
  auditLog?: boolean;
};

export const DEFAULT_NAME = "redis-ha";
const DEFAULT_IMAGES = ["docker.io/library/redis:7"];

/** Starts a cluster and returns when its nodes are Ready and DNS answers; a cluster that runs already is left as it is. */
export async function up(options: UpOptions = {}): Promise<Layout> {
  requireRoot();
  const name = checkName(options.name ?? DEFAULT_NAME);
  const version = kubernetesVersion(options.kubernetes);
  return await withLock(join(CACHE, "locks", `cluster-${name}`), `a start or stop of the cluster ${name}`, async () => {
    const running = await runningCluster(name);
    if (running !== undefined) return running;
    await removeLeftovers(name);
    await installPackages();
    const images = [PAUSE_IMAGE, ...(options.images ?? DEFAULT_IMAGES)];
    const [binaries, archives] = await Promise.all([buildBinaries(version), archivesOf(images)]);
    const store = await seedStore(binaries, archives);
    const wanted = { name, nodes: options.nodes ?? 2, kubernetes: version, auditLog: options.auditLog ?? false };
    const record = await createRecord(wanted);
    const layout = layoutOf(name, record.index, record.nodes);
    await step(`start the cluster ${name} (Kubernetes ${version}, ${record.nodes} nodes)`, async () => {
      await start(layout, binaries, store, record.auditLog);
    });
    writeRecord({ ...record, ready: true });
    return layout;
  });
}

async function start(layout: Layout, binaries: Binaries, store: string, auditLog: boolean): Promise<void> {
  mkdirSync(layout.logs, { recursive: true });
  saveHostSettings();
  for (const machine of [layout.controlPlane, ...layout.nodes]) makeCgroup(machine.cgroup);
  await Promise.all([makeNetwork(layout), makeCertificates(layout)]);
  writeKubeconfig(layout, "admin", hostServer(layout), layout.kubeconfig);
  const api = connectApi(layout);
  try {
    const nodes = layout.nodes.map(async (node) => {
      await copyStore(store, node);
      return await startContainerd(layout, binaries, node);
    });
    await startApiServer(layout, binaries, auditLog);
    await waitForApi(layout, api);
    await startControllers(layout, binaries);
    await createBaseObjects(api);
    await Promise.all(
      nodes.map(async (prepared, position) => {
        const node = layout.nodes[position];
        if (node !== undefined) await startKubelet(layout, binaries, node, await prepared);
      }),
    );
    say("the API server answers; waiting for nodes and DNS");
    await Promise.all([waitForNodes(layout, api), waitForDns(layout)]);
  } finally {
    api.close();
  }
}

async function waitForApi(layout: Layout, api: Api): Promise<void> {
  await waitFor({ what: "the API server", timeoutMs: 60_000, everyMs: 100, log: apiServerLog(layout) }, async () => {
    const answer = await api.call("GET", "/readyz");
    return answer.status === 200 ? true : undefined;
  });
}

/** The layout of a cluster whose API server answers, or undefined. */
async function runningCluster(name: string): Promise<Layout | undefined> {
  const record = readRecord(name);
  if (record?.ready !== true) return undefined;
  const layout = layoutOf(name, record.index, record.nodes);
  const api = connectApi(layout);
  try {
    const answer = await api.call("GET", "/readyz");
    if (answer.status !== 200) return undefined;
    say(`the cluster ${name} runs already (Kubernetes ${record.kubernetes}, ${record.nodes} nodes)`);
    return layout;
  } catch {
    return undefined;
  } finally {
    api.close();
  }
}

async function removeLeftovers(name: string): Promise<void> {
  const record = readRecord(name);
  if (record === undefined) return;
  await step(`remove what is left of an earlier cluster ${name}`, async () => {
    await removeCluster(layoutOf(name, record.index, record.nodes));
  });
}

/** Ends a cluster and removes everything of it outside the cache. */
export async function down(options: { name?: string } = {}): Promise<void> {
  requireRoot();
  const name = checkName(options.name ?? DEFAULT_NAME);
  await withLock(join(CACHE, "locks", `cluster-${name}`), `a start or stop of the cluster ${name}`, async () => {
    const record = readRecord(name);
    if (record === undefined) {
      say(`there is no cluster ${name}`);
      return;
    }
    await step(`remove the cluster ${name}`, async () => await removeCluster(layoutOf(name, record.index, record.nodes)));
  });
}

/** Namespaces, mounts and control groups are a privilege of root on Linux. */
function requireRoot(): void {
  if (process.platform !== "linux") throw new Error(`the cluster tool needs Linux, this is ${process.platform}`);
  if (process.getuid?.() !== 0) throw new Error("the cluster tool makes network namespaces and containers: run it as root");
}
