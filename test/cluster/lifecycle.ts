import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Api, connectApi } from "./api.ts";
import { type Binaries, buildBinaries } from "./build/all.ts";
import { installPackages } from "./build/debian.ts";
import { makeCertificates } from "./certs.ts";
import { makeCgroup } from "./cgroups.ts";
import { removeCluster } from "./cleanup.ts";
import { apiServerLog, startApiServer, startControllers } from "./controlplane.ts";
import { stillRuns } from "./daemons.ts";
import { saveHostSettings } from "./host-settings.ts";
import { archivesOf } from "./images/catalog.ts";
import { copyStore, seedStore } from "./images/store.ts";
import { hostServer, writeKubeconfig } from "./kubeconfig.ts";
import { type Layout, layoutOf, type NodeMachine } from "./layout.ts";
import { withLock } from "./lock.ts";
import { makeNetwork } from "./network.ts";
import { importImages, startContainerd, startKubelet } from "./node.ts";
import { createBaseObjects } from "./objects.ts";
import { CACHE } from "./paths.ts";
import { waitFor } from "./process.ts";
import { say, step } from "./progress.ts";
import { waitForDns, waitForNodes } from "./ready.ts";
import { type ClusterRecord, checkName, createRecord, readRecord, writeRecord } from "./state.ts";
import { kubernetesVersion, PAUSE_IMAGE } from "./versions.ts";

export type UpOptions = {
  name?: string;
  nodes?: number;
  /** A minor version ("1.37") or a full one. */
  kubernetes?: string;
  /** Images to have on every node at the start, by name or as tar files; redis:7 by default. */
  images?: readonly string[];
  auditLog?: boolean;
  /** The longest pause before a container is started again, s (Kubernetes 1.35 or newer): for those who kill the same ones again and again. */
  restartBackoffMaxS?: number;
};

export const DEFAULT_NAME = "redis-ha";
const API_TIMEOUT_MS = 60_000;
const DEFAULT_IMAGES = ["docker.io/library/redis:7"];

/** Starts a cluster and returns when its nodes are Ready and DNS answers; a cluster that runs already is left as it is. */
export async function up(options: UpOptions = {}): Promise<Layout> {
  requireRoot();
  const name = checkName(options.name ?? DEFAULT_NAME);
  const version = kubernetesVersion(options.kubernetes);
  return await withLock(join(CACHE, "locks", `cluster-${name}`), `a start or stop of the cluster ${name}`, async () => {
    const running = await runningCluster(name);
    if (running !== undefined) return await keepRunning(running, options);
    await removeLeftovers(name);
    await installPackages();
    const images = [PAUSE_IMAGE, ...(options.images ?? DEFAULT_IMAGES)];
    const [binaries, archives] = await Promise.all([buildBinaries(version), archivesOf(images)]);
    const store = await seedStore(binaries, archives);
    const wanted = {
      name,
      nodes: options.nodes ?? 2,
      kubernetes: version,
      auditLog: options.auditLog ?? false,
      ...backoff(options),
    };
    const record = await createRecord(wanted);
    const layout = layoutOf(name, record.index, record.nodes);
    await step(`start the cluster ${name} (Kubernetes ${version}, ${record.nodes} nodes)`, async () => {
      await start(layout, binaries, store, record.auditLog);
    });
    writeRecord({ ...record, ready: true });
    return layout;
  });
}

const backoff = ({ restartBackoffMaxS }: UpOptions): Pick<ClusterRecord, "restartBackoffMaxS"> =>
  restartBackoffMaxS === undefined ? {} : { restartBackoffMaxS };

async function start(layout: Layout, binaries: Binaries, store: string, auditLog: boolean): Promise<void> {
  mkdirSync(layout.logs, { recursive: true });
  saveHostSettings();
  for (const machine of [layout.controlPlane, ...layout.nodes]) makeCgroup(machine.cgroup);
  await Promise.all([makeNetwork(layout), makeCertificates(layout)]);
  writeKubeconfig(layout, "admin", hostServer(layout), layout.kubeconfig);
  const api = connectApi(layout);
  try {
    const [pids] = await Promise.all([
      Promise.all(layout.nodes.map(async (node) => await bootNode(layout, binaries, store, node))),
      startControlPlane(layout, binaries, api, auditLog),
    ]);
    await Promise.all(
      layout.nodes.map(async (node, position) => await startKubelet(layout, binaries, node, pids[position] ?? 0)),
    );
    say("the API server answers; waiting for nodes and DNS");
    await Promise.all([waitForNodes(layout, api), waitForDns(layout)]);
  } finally {
    api.close();
  }
}

async function bootNode(layout: Layout, binaries: Binaries, store: string, node: NodeMachine): Promise<number> {
  await copyStore(store, node);
  return await startContainerd(layout, binaries, node);
}

async function startControlPlane(layout: Layout, binaries: Binaries, api: Api, auditLog: boolean): Promise<void> {
  await startApiServer(layout, binaries, auditLog);
  const hopeful = stillRuns(layout.controlPlane, "kube-apiserver");
  await waitFor(
    { what: "the API server", timeoutMs: API_TIMEOUT_MS, everyMs: 50, log: apiServerLog(layout), hopeful },
    async () => {
      const answer = await api.call("GET", "/readyz");
      return answer.status === 200 ? true : undefined;
    },
  );
  await startControllers(layout, binaries);
  await createBaseObjects(api);
}

/** The record of a cluster whose API server answers, or undefined. */
async function runningCluster(name: string): Promise<ClusterRecord | undefined> {
  const record = readRecord(name);
  if (record?.ready !== true) return undefined;
  const api = connectApi(layoutOf(name, record.index, record.nodes));
  try {
    const answer = await api.call("GET", "/readyz");
    return answer.status === 200 ? record : undefined;
  } catch {
    return undefined;
  } finally {
    api.close();
  }
}

/** A running cluster does for a wish that it fulfils; it gets the images that it may not have yet. */
async function keepRunning(record: ClusterRecord, options: UpOptions): Promise<Layout> {
  const { name, nodes, kubernetes, auditLog } = record;
  const fits = [
    nodes === (options.nodes ?? nodes),
    kubernetes === (options.kubernetes === undefined ? kubernetes : kubernetesVersion(options.kubernetes)),
    auditLog || options.auditLog !== true,
    record.restartBackoffMaxS === options.restartBackoffMaxS || options.restartBackoffMaxS === undefined,
  ];
  const is = `the cluster ${name} runs already (Kubernetes ${kubernetes}, ${nodes} nodes${auditLog ? ", audit log" : ""})`;
  if (fits.includes(false))
    throw new Error(`${is}, and not as it is wanted now; end it first: npm run cluster -- down --name ${name}`);
  say(is);
  const layout = layoutOf(name, record.index, nodes);
  const archives = await archivesOf(options.images ?? []);
  const binaries = await buildBinaries(kubernetes);
  await Promise.all(layout.nodes.map(async (node) => await importImages(binaries, node, archives)));
  return layout;
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
