import { execPath } from "node:process";
import type { Api } from "./api.ts";
import { logOf, stillRuns } from "./daemons.ts";
import { DNS_SERVICE_ADDRESS, type Layout } from "./layout.ts";
import { runInside } from "./node.ts";
import { waitFor } from "./process.ts";

const TIMEOUT_MS = 90_000;

type NodeList = {
  items: {
    metadata: { name: string };
    spec: { taints?: object[] };
    status: { conditions?: { type: string; status: string }[] };
  }[];
};

/** The names of the nodes that are Ready and take pods. */
export async function readyNodes(api: Api): Promise<string[]> {
  const list = await api.get<NodeList>("/api/v1/nodes");
  const ready = (list?.items ?? []).filter((node) => {
    const condition = node.status.conditions?.find(({ type }) => type === "Ready");
    return condition?.status === "True" && (node.spec.taints ?? []).length === 0;
  });
  return ready.map((node) => node.metadata.name);
}

/** Waits until all nodes are Ready and pods can be made in the default namespace. */
export async function waitForNodes(layout: Layout, api: Api): Promise<void> {
  await Promise.all(
    layout.nodes.map(async (node) => {
      const log = logOf(layout, node, "kubelet");
      const hopeful = stillRuns(node, "kubelet");
      await waitFor({ what: `${node.name} to be Ready`, timeoutMs: TIMEOUT_MS, everyMs: 100, log, hopeful }, async () =>
        (await readyNodes(api)).includes(node.name) ? true : undefined,
      );
    }),
  );
  const controllers = logOf(layout, layout.controlPlane, "kube-controller-manager");
  await waitFor(
    { what: "the default service account", timeoutMs: TIMEOUT_MS, log: controllers },
    async () => await api.get<object>("/api/v1/namespaces/default/serviceaccounts/default"),
  );
}

/** Asks for a name through the DNS Service until the right answer comes, from inside a node. */
const ASK = `
const { Resolver } = require("node:dns").promises;
const end = Date.now() + ${TIMEOUT_MS};
const ask = async () => {
  for (;;) {
    const resolver = new Resolver({ timeout: 200, tries: 1 });
    resolver.setServers(["${DNS_SERVICE_ADDRESS}"]);
    const answer = await resolver.resolve4("kubernetes.default.svc.cluster.local").catch((error) => error.code);
    if (Array.isArray(answer)) return;
    if (Date.now() > end) throw new Error("no DNS answer: " + answer);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};
ask();`;

/** Waits until every node gets answers from DNS through the Service's address. */
export async function waitForDns(layout: Layout): Promise<void> {
  const log = logOf(layout, layout.controlPlane, "coredns");
  await Promise.all(
    layout.nodes.map(async (node) => {
      try {
        await runInside(node, [execPath, "-e", ASK], TIMEOUT_MS + 5000);
      } catch (error) {
        throw new Error(`DNS does not answer on ${node.name}; see ${log} and ${logOf(layout, node, "kube-proxy")}`, {
          cause: error,
        });
      }
    }),
  );
}
