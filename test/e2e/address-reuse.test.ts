/**
 * Two groups with one name in two namespaces, or two in one namespace, and a pod of the one that gets the address that a pod of the other had a second ago. With plain Sentinel the
 * newcomer would be made a replica of the group that still remembers the address, and lose its data within 12 s.
 */
import { join } from "node:path";
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Pod } from "../../kube/types.ts";
import { INJECTED, masterName, SENTINEL_PORT } from "../../model/names.ts";
import { addressInUse, giveNext } from "../cluster/cluster.ts";
import { type Bed, EXAMPLES, signal } from "./lib/bed.ts";
import { ClientFailed } from "./lib/client-pod.ts";
import { countOf, seed } from "./lib/data.ts";
import { Group, WHOLE_MS } from "./lib/group.ts";
import { inOtherNamespace } from "./lib/namespace.ts";
import { type Space, test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const ALONE = { replicas: 0, sentinels: 1 };
const KEYS = 1000;
/** Sentinel makes a master at a remembered replica's address a replica after some 12 s. */
const TEMPTED_MS = 20_000;

/** A group of one, on the node where the address is. */
function newcomer(node: string, name: string): string {
  return `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: 1
  selector: { matchLabels: { app: newcomer } }
  template:
    metadata:
      labels: { app: newcomer }
      annotations: { redis-ha.io/cluster: ${name} }
    spec:
      nodeName: ${node}
      containers:
        - name: redis
          image: docker.io/library/redis:7
          imagePullPolicy: IfNotPresent
          ports: [{ containerPort: 6379 }]
`;
}

/** A group of the same name in another namespace, asked by the first one's client. */
class Other extends Group {
  override async throughService() {
    return { ...(await super.throughService()), host: `${(await this.service()).metadata?.name}.${this.namespace}` };
  }
}

async function freed(address: string, cluster: string, node: string): Promise<void> {
  await waitUntil(`${address} to be free`, 45_000, async () => {
    if (addressInUse(address, { name: cluster, node })) throw new Error("in use");
  });
}

const clusterOf = ({ where }: Bed): string => {
  if (!("cluster" in where)) throw new Error("addresses can be chosen only in a cluster of the cluster tool");
  return where.cluster;
};

/** Pods of the group whose sentinel has a replica at this address. */
async function remembering(group: Group, address: string): Promise<string[]> {
  const command = ["SENTINEL", "REPLICAS", masterName(group.namespace, group.cluster)];
  const asked = (await group.pods()).map(async ({ metadata, status }) => {
    try {
      const [answer] = await group.client.commands(await group.at(status?.podIP ?? "", SENTINEL_PORT), [command]);
      const replicas: unknown[] = answer !== undefined && "reply" in answer && Array.isArray(answer.reply) ? answer.reply : [];
      const knows = replicas.some((replica) => Array.isArray(replica) && replica.includes(address));
      return knows ? [metadata?.name ?? ""] : [];
    } catch (error) {
      if (error instanceof ClientFailed) return [];
      throw error;
    }
  });
  return (await Promise.all(asked)).flat();
}

/** `start` brings up a newcomer on the node where the address is, and returns it. */
async function atTheAddress(bed: Bed, space: Space, start: (node: string) => Promise<Group>): Promise<void> {
  const first = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  const { master } = await waitUntil("a whole group", WHOLE_MS, async () => await first.whole(EXPECTED));
  await seed(first, "first", KEYS, "1", EXPECTED.replicas);
  const pod = await bed.kube.get<Pod>(PATH.pods(space.namespace, master));
  const [address, node] = [pod.status?.podIP ?? "", pod.spec?.nodeName ?? ""];

  const old = (await first.pods()).map(({ metadata }) => metadata?.name ?? "");
  await bed.kubectl(["-n", space.namespace, "delete", "pod", master, "--wait=false"]);
  const { name: heir } = await waitUntil("another master", 30_000, async () => {
    const found = await first.master();
    if (found.name === master) throw new Error(`it is ${master}`);
    return found;
  });
  // The handlers let sentinels forget only while all of them answer: with one that stands still the others remember for as long as the test lasts.
  const still = old.find((name) => name !== master && name !== heir) ?? "";
  await signal(bed, space.namespace, still, INJECTED.sentinelContainer, "SIGSTOP");
  await freed(address, clusterOf(bed), node);
  await waitUntil("the first group's pods to have their addresses", 30_000, async () => {
    const addresses = (await first.pods()).map(({ status }) => status?.podIP).filter((ip) => ip !== undefined);
    expect(addresses, "else the dead master's successor would take this one").toHaveLength(old.length);
  });
  giveNext(address, { name: clusterOf(bed), node });
  const second = await start(node);
  await waitUntil("the newcomer", 30_000, async () => await second.whole(ALONE));
  expect((await second.master()).ip, "the address was reused").toBe(address);
  await seed(second, "second", KEYS, "2", 0);
  const tempted = await remembering(first, address);
  say(
    `${address} went to ${second.namespace}/${second.cluster}; of the first group it is still remembered by ${tempted.join(", ")}`,
  );
  expect(tempted, "sentinels of the first group that remember the address").not.toEqual([]);

  // No answer is no word against it; one answer at the end is needed.
  const until = performance.now() + TEMPTED_MS;
  const disturbed = new Set<string>();
  await waitUntil("both groups to be watched", 2 * TEMPTED_MS, async () => {
    const [seen] = await second.redises();
    if (seen === undefined || seen.problem !== undefined) throw new Error(`the newcomer: ${seen?.problem ?? "no pod"}`);
    if (seen.role !== "master") disturbed.add(`${seen.pod} was a ${seen.role} of ${seen.master}`);
    if (seen.replicas.length > 0) disturbed.add(`${seen.pod} had the replicas ${seen.replicas.join(", ")}`);
    if (performance.now() < until) throw new Error("watching");
  });
  expect([...disturbed], "the newcomer is left in peace").toEqual([]);
  expect(await remembering(first, address), "it was remembered all the time").toEqual(expect.arrayContaining(tempted));
  await signal(bed, space.namespace, still, INJECTED.sentinelContainer, "SIGKILL");
  await waitUntil("the first group to be whole", WHOLE_MS, async () => await first.whole(EXPECTED));
  await second.whole(ALONE);
  for (const [group, own, foreign] of [
    [first, "first", "second"],
    [second, "second", "first"],
  ] as const) {
    const value = own === "first" ? "1" : "2";
    expect(await countOf(group, own, KEYS, value), `keys of the ${own} group`).toBe(KEYS);
    expect(
      await group.client.command(await group.throughService(), "EXISTS", `${foreign}:1`),
      `a key of the ${foreign} group`,
    ).toBe(0);
  }
}

test("a new group at an address that another group of its name remembers keeps its data, and so does the other", async ({
  bed,
  space,
}) => {
  await inOtherNamespace(bed, async (namespace) => {
    await atTheAddress(bed, space, async (node) => {
      await bed.kubectl(["-n", namespace, "apply", "-f", "-"], { input: newcomer(node, "cache") });
      return new Other(bed, space.client, namespace);
    });
  });
});

test("and so do two groups in one namespace", async ({ bed, space }) => {
  await atTheAddress(bed, space, async (node) => {
    await space.apply({ yaml: newcomer(node, "other") });
    return space.group("other");
  });
});
