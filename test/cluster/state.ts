import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Layout, layoutOf, MAX_CLUSTERS, MAX_NODES } from "./layout.ts";
import { withLock } from "./lock.ts";
import { CACHE, STATE } from "./paths.ts";

/** What is remembered of a cluster; all else follows from it. */
export type ClusterRecord = {
  name: string;
  index: number;
  nodes: number;
  kubernetes: string;
  auditLog: boolean;
  /** The longest pause before a container is started again, s; Kubernetes' own (300) where absent. */
  restartBackoffMaxS?: number;
  /** False until `up` has come to its end. */
  ready: boolean;
};

const NAME = /^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/;

/** Refuses names that would not fit into names of devices, folders and control groups. */
export function checkName(name: string): string {
  if (!NAME.test(name)) throw new Error(`"${name}" cannot name a cluster: use 1 to 20 of a-z, 0-9 and "-", not "-" at an end`);
  return name;
}

/** The records of all clusters of this machine, running or left over. */
export function listClusters(): ClusterRecord[] {
  if (!existsSync(STATE)) return [];
  return readdirSync(STATE).flatMap((name) => readRecord(name) ?? []);
}

/** The record of one cluster, or undefined when there is none. */
export function readRecord(name: string): ClusterRecord | undefined {
  const file = recordFile(name);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as ClusterRecord) : undefined;
}

/** The layout of a cluster that was started; an error says how to start it. */
export function runningLayout(name: string): Layout {
  const record = readRecord(checkName(name));
  if (record === undefined) throw new Error(`there is no cluster "${name}"; start it by: npm run cluster -- up --name ${name}`);
  return layoutOf(name, record.index, record.nodes);
}

/** Takes a free number on this machine for a new cluster and writes its record. */
export async function createRecord(
  wanted: Pick<ClusterRecord, "name" | "nodes" | "kubernetes" | "auditLog" | "restartBackoffMaxS">,
): Promise<ClusterRecord> {
  checkName(wanted.name);
  if (!Number.isInteger(wanted.nodes) || wanted.nodes < 1 || wanted.nodes > MAX_NODES) {
    throw new Error(`a cluster has 1 to ${MAX_NODES} nodes, not ${wanted.nodes}`);
  }
  return await withLock(join(CACHE, "locks", "clusters"), "the choice of a cluster's number", async () => {
    const taken = new Set(listClusters().map((record) => record.index));
    const index = Array.from({ length: MAX_CLUSTERS }, (_, number) => number).find((number) => !taken.has(number));
    if (index === undefined) throw new Error(`${MAX_CLUSTERS} clusters on one machine are the limit`);
    const record = { ...wanted, index, ready: false };
    writeRecord(record);
    return record;
  });
}

/** Replaces a cluster's record as a whole. */
export function writeRecord(record: ClusterRecord): void {
  const file = recordFile(record.name);
  mkdirSync(join(STATE, record.name), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(record)}\n`);
  renameSync(`${file}.new`, file);
}

function recordFile(name: string): string {
  return join(STATE, name, "cluster.json");
}
