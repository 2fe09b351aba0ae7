/** Rules of a node's packet filter between pods, as a fault; only in the tool's clusters. One table per name, so that taking it back is one command. */
import { nodeExec } from "../../cluster/cluster.ts";
import type { Bed } from "./bed.ts";

const TABLE = "redis-ha-fault";
/** Before all of kube-proxy's own. */
const PRIORITY = -300;

/** Installs rules for forwarded packets on a node, like `ip saddr 10.0.0.1 drop`; those from before are replaced. */
export async function filter(bed: Bed, node: string, rules: readonly string[]): Promise<void> {
  const chain = [`type filter hook forward priority ${PRIORITY}; policy accept;`, ...rules];
  const input = [
    `add table ip ${TABLE}`,
    `delete table ip ${TABLE}`,
    `table ip ${TABLE} {`,
    "chain forward {",
    ...chain,
    "}",
    "}",
    "",
  ].join("\n");
  await nodeExec(node, ["nft", "-f", "-"], { name: clusterOf(bed), input, timeoutMs: 10_000 });
}

/** Takes all rules of `filter` back. */
export async function unfilter(bed: Bed, node: string): Promise<void> {
  const input = `add table ip ${TABLE}\ndelete table ip ${TABLE}\n`;
  await nodeExec(node, ["nft", "-f", "-"], { name: clusterOf(bed), input, timeoutMs: 10_000 });
}

function clusterOf({ where }: Bed): string {
  if (!("cluster" in where)) throw new Error("packets can be filtered only in a cluster of the cluster tool");
  return where.cluster;
}
