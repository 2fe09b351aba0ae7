import { stdout } from "node:process";
import { connectApi } from "./api.ts";
import { daemonPid } from "./daemons.ts";
import { type Layout, layoutOf, type NodeMachine } from "./layout.ts";
import { isConnected } from "./network.ts";
import { readyNodes } from "./ready.ts";
import { type ClusterRecord, listClusters } from "./state.ts";

/** Prints one line for each cluster of this machine and one for each of its nodes. */
export async function printStatus(): Promise<void> {
  const clusters = listClusters();
  if (clusters.length === 0) stdout.write("no cluster\n");
  for (const record of clusters) stdout.write(`${(await describe(record)).join("\n")}\n`);
}

async function describe(record: ClusterRecord): Promise<string[]> {
  const layout = layoutOf(record.name, record.index, record.nodes);
  const ready = await askReady(layout);
  const state = ready === undefined ? "the API server does not answer" : `${ready.length} of ${record.nodes} nodes Ready`;
  const head = `${record.name}: Kubernetes ${record.kubernetes}, ${state}; KUBECONFIG=${layout.kubeconfig}; logs in ${layout.logs}`;
  const nodes = layout.nodes.map(
    async (node) => `  ${node.name} ${node.address}: ${await describeNode(layout, node, ready ?? [])}`,
  );
  return [head, ...(await Promise.all(nodes))];
}

async function askReady(layout: Layout): Promise<string[] | undefined> {
  try {
    const api = connectApi(layout);
    return await readyNodes(api).finally(() => api.close());
  } catch {
    return undefined;
  }
}

async function describeNode(layout: Layout, node: NodeMachine, ready: readonly string[]): Promise<string> {
  const words = [ready.includes(node.name) ? "Ready" : "not Ready"];
  if (daemonPid(node, "kubelet") === undefined) words.push("without power");
  if (!(await isConnected(layout, node).catch(() => false))) words.push("cut off");
  return words.join(", ");
}
