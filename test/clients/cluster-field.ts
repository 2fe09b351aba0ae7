/** A real cluster: the quickstart's group on three nodes, the programs in the network of a fourth, with its DNS and its kube-proxy. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { FAULTS } from "../../bench/failover/faults.ts";
import type { Ours } from "../../bench/failover/ours.ts";
import { untilWhole } from "../../bench/failover/run.ts";
import { Site } from "../../bench/failover/site.ts";
import { down, heal, nodeCommand, partition, up } from "../cluster/cluster.ts";
import { fullName } from "../cluster/images/catalog.ts";
import { DNS_SERVICE_ADDRESS } from "../cluster/layout.ts";
import { DEFAULT_KUBERNETES } from "../cluster/versions.ts";
import { waitUntil } from "../e2e/lib/wait.ts";
import { type Field, writersIn } from "./field.ts";

const NODES = 4;
const CUT_OFF_MS = 30_000;
const OTHER_MASTER_MS = 60_000;
/** kube-proxy takes over at most one change a second: a fault is to meet a cluster at rest, as most do. */
const REST_MS = 3000;
const BATCH = 500;

/** Sees to it that the name of the Service is looked up in the cluster's DNS; the machine's own file is covered for this process only. */
const WITH_DNS = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"';

export interface ClusterOptions {
  readonly cluster: string;
  readonly image: string;
  readonly keep: boolean;
}

export async function openCluster({ cluster, image, keep }: ClusterOptions): Promise<Field> {
  const full = fullName(image);
  await up({ name: cluster, nodes: NODES, images: [full], restartBackoffMaxS: 1 });
  const site = await Site.open(cluster, full);
  const folder = mkdtempSync(join(tmpdir(), "redis-ha-clients-"));
  const close = async (): Promise<void> => {
    rmSync(folder, { recursive: true, force: true });
    await site.close();
    site.bed.close();
    if (!keep) await down({ name: cluster });
  };
  try {
    const ours = await site.ours();
    await untilWhole(ours, "at the start");
    return {
      ...(await fieldOf(site, ours, folder)),
      about: { image: full, kubernetes: DEFAULT_KUBERNETES, nodes: NODES },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function fieldOf(site: Site, ours: Ours, folder: string): Promise<Omit<Field, "about" | "close">> {
  const { group } = ours;
  const { client } = group;
  const target = await group.throughService();
  const resolv = join(folder, "resolv.conf");
  const search = [`${ours.namespace}.svc.cluster.local`, "svc.cluster.local", "cluster.local"].join(" ");
  writeFileSync(resolv, `search ${search}\nnameserver ${DNS_SERVICE_ADDRESS}\noptions ndots:5\n`);
  const ownMounts = ["unshare", "--mount", "--propagation", "private", "sh", "-c", WITH_DNS, "sh", resolv];
  return {
    kind: "cluster",
    target,
    faults: {
      kill9: what("kill9"),
      handover: what("handover"),
      rollout: what("rollout"),
      partition: `${what("partition")} for ${CUT_OFF_MS / 1000} s`,
    },
    place: (command) => nodeCommand(site.clientNode, [...ownMounts, ...command], { name: site.cluster }),
    calm: async () => {
      await untilWhole(ours, "before a fault");
      await sleep(REST_MS);
    },
    fault: async (name) => await make(ours, name),
    missing: async (keys) => {
      const lost: string[] = [];
      for (let start = 0; start < keys.length; start += BATCH) {
        const batch = keys.slice(start, start + BATCH);
        const reply = await client.command(target, "MGET", ...batch);
        if (!Array.isArray(reply)) throw new Error(`MGET answered ${String(reply)}`);
        lost.push(...batch.filter((_, index) => reply[index] === null));
      }
      return lost;
    },
    strays: async () => {
      const master = await group.master();
      const found: string[] = [];
      for (const { ip, pod } of await group.redises()) {
        if (ip === master.ip) continue;
        const list = String(await client.command(await group.at(ip), "CLIENT", "LIST"));
        found.push(...writersIn(list).map((line) => `${pod}: ${line}`));
      }
      return found;
    },
    flush: async () => {
      await client.command(target, "FLUSHALL");
    },
  };
}

function what(name: string): string {
  const fault = FAULTS[name];
  if (fault === undefined) throw new Error(`the failover benchmark has no fault ${name}`);
  return fault.what;
}

async function make(ours: Ours, name: string): Promise<void> {
  const fault = FAULTS[name];
  if (fault === undefined) throw new Error(`no fault is called ${name}`);
  const { pod, node } = await ours.master();
  if (name === "partition") {
    // Longer than the failover: a client that is stuck until the network is back is to be told from one that is not.
    await partition(node, { name: ours.cluster });
    try {
      await sleep(CUT_OFF_MS);
    } finally {
      await heal(node, { name: ours.cluster });
    }
  } else {
    await fault.make({ stack: ours, pod, node });
  }
  if (fault.anyMaster !== true) {
    await waitUntil(`another master after ${name}`, OTHER_MASTER_MS, async () => {
      if ((await ours.master()).pod === pod) throw new Error(`the Service still leads to ${pod}`);
    });
  }
  await untilWhole(ours, `after ${name}`);
}
