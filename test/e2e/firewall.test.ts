import { join } from "node:path";
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Pod } from "../../kube/types.ts";
import { REDIS_PORT, REQUEST } from "../../model/names.ts";
import { account } from "./lib/account.ts";
import { type Bed, EXAMPLES, SYSTEM, signal } from "./lib/bed.ts";
import { noticedIn, servedGapMs } from "./lib/client-pod.ts";
import { underFault } from "./lib/fault.ts";
import { filter, unfilter } from "./lib/firewall.ts";
import { type Group, WHOLE_MS } from "./lib/group.ts";
import { groupViews } from "./lib/handlers-view.ts";
import { test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
/** Longer than Sentinel's own detection (down-after, 5 s) would take, ms. */
const REFUSED_MS = 7000;
/** No write at all for so long would be a fault: the client is calm with half of it, ms. */
const PAUSE_MS = 1000;

test("a firewall that refuses the handlers is no death: nobody is promoted; with a second witness it is one", {
  timeout: 300_000,
}, async ({ bed, space }) => {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  await space.client.startWriters(await group.throughService());
  await space.client.calm();
  const master = await group.master();
  const history = await group.history();
  const nodes = await refuseHandlers(bed, master.ip);
  try {
    // The handlers' own word is only waited for: that the firewall does what it should.
    await waitUntil(`every handler to be refused for ${REFUSED_MS} ms`, 30_000, async () => {
      for (const { pod, groups } of await groupViews(bed)) {
        const view = groups.find((one) => one.group.namespace === space.namespace);
        const seen = view?.facts?.members.find((member) => member.pod.name === master.name)?.redis;
        if (seen?.state !== "refused" || seen.forMs < REFUSED_MS) throw new Error(`${pod} sees the master as ${seen?.state}`);
      }
    });
    expect((await group.master()).name).toBe(master.name);
    expect(await group.history()).toEqual(history);
    const seen = await waitUntil("the master's own word", 10_000, async () => {
      const found = (await group.redises()).find(({ ip }) => ip === master.ip);
      if (found?.problem !== undefined) throw new Error(found.problem);
      return found;
    });
    expect(seen?.role).toBe("master");
    // A busy machine may be late; nobody's connection is closed or refused, and writes go on.
    const undisturbed = await space.client.window();
    expect(noticedIn(undisturbed), JSON.stringify(undisturbed)).toEqual([]);
    expect(servedGapMs(undisturbed)).toBeLessThan(PAUSE_MS);

    // The same firewall, and now the replicas lose their links too: that is the proof.
    await underFault(group, "kill -9 behind the firewall", EXPECTED, async (pod) => {
      await signal(bed, space.namespace, pod, "redis", "SIGKILL");
      await waitUntil("a promotion", 20_000, async () => {
        if ((await group.master()).name === master.name) throw new Error("none yet");
      });
      for (const node of nodes) await unfilter(bed, node);
    });
    await by(group, /connections to it are refused, and replica .* lost its link|the kubelet reports that its container ended/);
  } finally {
    for (const node of nodes) await unfilter(bed, node);
  }

  // The kubelet is the only witness: the replicas hear nothing of the death, and the container, which died before, has to wait ten seconds for its restart.
  await handBack(bed, group, master.name);
  const cut = await nodesOf(group);
  try {
    const killed = await underFault(group, "kill -9 that only the kubelet sees", EXPECTED, async (pod) => {
      // Right before: a master whose replicas are away for long refuses writes and is called down by the sentinels.
      await separate(bed, group, pod, cut);
      await signal(bed, space.namespace, pod, "redis", "SIGKILL");
      await waitUntil("a promotion", 20_000, async () => {
        if ((await group.master()).name === pod) throw new Error("none yet");
      });
      for (const node of cut) await unfilter(bed, node);
    });
    expect(killed.before).toBe(master.name);
    await by(group, /the kubelet reports that its container ended/);
  } finally {
    for (const node of cut) await unfilter(bed, node);
  }
});

/** The last change of master was a failover of ours, for this reason: not Sentinel's own, some seconds later. */
async function by(group: Group, proof: RegExp): Promise<void> {
  expect(await account(group)).toMatchObject({ kind: "failover", cause: expect.stringMatching(proof) });
}

async function handBack(bed: Bed, group: Group, pod: string): Promise<void> {
  await bed.kubectl(["-n", group.namespace, "annotate", "service", "cache-master", `${REQUEST.handover}=${pod}`]);
  await waitUntil(`${pod} to be master again`, 15_000, async () => expect((await group.master()).name).toBe(pod));
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
}

/** The nodes on which the group's pods run. */
async function nodesOf(group: Group): Promise<string[]> {
  return [...new Set((await group.pods()).map(({ spec }) => spec?.nodeName ?? ""))];
}

/** No packet passes between this pod and the group's others on these nodes. */
async function separate(bed: Bed, group: Group, pod: string, nodes: readonly string[]): Promise<void> {
  const pods = await group.pods();
  const addressOf = (one: Pod): string => one.status?.podIP ?? "";
  const ip = pods.filter(({ metadata }) => metadata?.name === pod).map(addressOf)[0] ?? "";
  const others = `{ ${pods
    .filter(({ metadata }) => metadata?.name !== pod)
    .map(addressOf)
    .join(", ")} }`;
  const rules = [`ip saddr ${ip} ip daddr ${others} drop`, `ip saddr ${others} ip daddr ${ip} drop`];
  for (const node of nodes) await filter(bed, node, rules);
}

/** Resets what the handlers send to this redis; its sentinel, its replicas and its clients are not touched. Returns the nodes with rules. */
async function refuseHandlers(bed: Bed, ip: string): Promise<string[]> {
  const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM), { query: { labelSelector: "app.kubernetes.io/name=redis-ha" } });
  const nodes = [...new Set(items.map((pod) => pod.spec?.nodeName ?? ""))];
  for (const node of nodes) {
    const here = items.filter((pod) => pod.spec?.nodeName === node).map((pod) => pod.status?.podIP ?? "");
    const from = here.map((one) => `ip saddr ${one} ip daddr ${ip} tcp dport ${REDIS_PORT} reject with tcp reset`);
    await filter(bed, node, from);
  }
  return nodes;
}
