/**
 * How a group is run: its pods are spread, a drain waits for data, the disruption budget gives way to a person's own, and a client outside of the pod network is led
 * to the master through the port of a node that does not have it, and through the address of a load balancer.
 */
import { expect, inject } from "vitest";
import { NO_ADDRESS } from "../../handlers/watch/service-fact.ts";
import { PATH } from "../../kube/paths.ts";
import type { Node, Pod, PodDisruptionBudget } from "../../kube/types.ts";
import { ANNOTATION, budgetName, LABEL, REDIS_PORT, REQUEST } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { type Bed, signal } from "./lib/bed.ts";
import { commandLine } from "./lib/cli.ts";
import { toldOf } from "./lib/events.ts";
import { underFault, verdict } from "./lib/fault.ts";
import { type Group, WHOLE_MS } from "./lib/group.ts";
import { annotatedQuickstart } from "./lib/quickstart.ts";
import { type Space, test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
/** On a loaded machine, and still sooner than Sentinel alone (down-after 5 s, then the failover); measured numbers are in docs/expose.md. */
const KILL_GAP_MS = 6000;
const HANDOVER_GAP_MS = 3000;
/** The cordon's hand-over and the evictions share kube-proxy's second. */
const DRAIN_GAP_MS = 5000;
/** What a master that is killed had acknowledged and not sent yet. */
const KILL_LOST = 8;
/** Of a net that is nobody's (RFC 5737). */
const BALANCER = "192.0.2.77";
const OURS = budgetName("cache");
const THEIRS = "mine";

const internalIp = ({ status }: Node): string => status?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "";

/** Nobody makes load balancers here: the test writes what a cloud's controller would, and the nodes' kube-proxy does the rest. */
async function loadBalanced({ bed, group, space }: { bed: Bed; group: Group; space: Space }): Promise<void> {
  const { run } = await commandLine(inject("cluster"));
  const status = async (): Promise<string> => (await run("status", `${space.namespace}/cache`)).stdout;
  await waitUntil("a load balancer to be asked for", 60_000, async () => expect(await status()).toContain(NO_ADDRESS));
  await bed.kube.mergePatch(`${PATH.services(space.namespace, "cache-master")}/status`, {
    status: { loadBalancer: { ingress: [{ ip: BALANCER }] } },
  });
  const outside = { ...(await group.throughService()), host: BALANCER };
  await waitUntil("the master at the load balancer's address", 30_000, async () => {
    expect(await status()).toContain(`LoadBalancer: ${BALANCER}:${REDIS_PORT}`);
    expect(JSON.stringify(await space.client.command(outside, "ROLE"))).toContain("master");
  });
}

test("spread, a drain under the budget, and kill -9 and hand-over through a node port", { timeout: 420_000 }, async ({
  bed,
  space,
}) => {
  const group = space.group();
  await space.apply({ yaml: annotatedQuickstart(ANNOTATION.expose, "NodePort") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const { items: nodes } = await bed.kube.list<Node>(PATH.nodes());
  expect(new Set((await group.pods()).map(({ spec }) => spec?.nodeName)).size, "spread").toBe(Math.min(nodes.length, 3));

  const read = async (): Promise<PodDisruptionBudget> =>
    await bed.kube.get<PodDisruptionBudget>(PATH.podDisruptionBudgets(space.namespace, OURS));
  const inForce = async (): Promise<void> => {
    const { spec, status } = await read();
    expect(spec?.maxUnavailable).toBe(1);
    expect(status).toMatchObject({ expectedPods: 3, desiredHealthy: 2, disruptionsAllowed: 1 });
  };
  await waitUntil("the budget in force", 30_000, inForce);
  await bed.kube.mergePatch(PATH.podDisruptionBudgets(space.namespace, OURS), { spec: { maxUnavailable: 3 } });
  await waitUntil("the budget put right", 20_000, inForce);

  // Through a node on which the client does not run: no shortcut of kube-proxy's.
  const client = await bed.kube.get<Pod>(PATH.pods(space.namespace, "client"));
  const door = nodes.find(({ metadata }) => metadata?.name !== client.spec?.nodeName);
  const nodePort = (await group.service()).spec?.ports?.[0]?.nodePort ?? 0;
  expect(nodePort).toBeGreaterThan(0);
  const outside = { ...(await group.throughService()), host: door === undefined ? "" : internalIp(door), port: nodePort };
  await space.client.startWriters(outside);
  const killed = await underFault(group, "kill -9, seen through a node port", EXPECTED, async (pod) => {
    await signal(bed, space.namespace, pod, "redis", "SIGKILL");
  });
  expect(killed.gapMs).toBeLessThan(KILL_GAP_MS);
  expect((await verdict(group)).missing).toBeLessThanOrEqual(KILL_LOST);

  await space.client.startWriters(outside);
  const asked = await underFault(group, "hand-over, seen through a node port", EXPECTED, async () => {
    await bed.kubectl(["-n", space.namespace, "annotate", "service", "cache-master", `${REQUEST.handover}=any`]);
  });
  expect(asked.gapMs).toBeLessThan(HANDOVER_GAP_MS);
  const node = (await group.master()).pod.spec?.nodeName ?? "";
  const options = ["--ignore-daemonsets", "--delete-emptydir-data", `--pod-selector=${LABEL.cluster}=cache`, "--timeout=90s"];
  try {
    const drained = await underFault(group, "kubectl drain under a budget, seen through a node port", EXPECTED, async () => {
      await bed.kubectl(["drain", node, ...options]);
    });
    expect(drained.gapMs).toBeLessThan(DRAIN_GAP_MS);
  } finally {
    await bed.kubectl(["uncordon", node]);
  }
  expect((await verdict(group)).missing).toBe(0);

  const kubectl = async (...words: string[]): Promise<unknown> => await bed.kubectl(["-n", space.namespace, ...words]);
  await kubectl("create", "poddisruptionbudget", THEIRS, "--selector=app=cache", "--min-available=1");
  await waitUntil("ours to give way", 20_000, async () => {
    const { spec, status } = await read();
    expect(spec?.selector).toBeUndefined();
    expect(status?.expectedPods).toBe(0);
  });
  const saying = `${THEIRS} selects the same pods`;
  await toldOf(bed, space.namespace, "Service", "cache-master", REASON.DisruptionBudgetChanged, { saying });
  await kubectl("delete", "poddisruptionbudget", THEIRS);
  await waitUntil("ours to be back", 30_000, inForce);

  // The newest pod's settings hold, so one new pod is enough.
  const expose = async (value: string | null): Promise<void> => {
    const template = { metadata: { annotations: { [ANNOTATION.expose]: value } } };
    await bed.kube.mergePatch(PATH.deployments(space.namespace, "cache"), { spec: { template } });
  };
  await expose("LoadBalancer");
  await loadBalanced({ bed, group, space });
  await expose(null);
  await waitUntil("the Service to be ClusterIP again", 60_000, async () => {
    const { spec } = await group.service();
    expect(spec?.type).toBe("ClusterIP");
    expect(spec?.ports?.[0]?.nodePort).toBeUndefined();
  });
});
