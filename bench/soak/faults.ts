/** The faults of the soak: those of the matrix, shorter, on whichever group is drawn. */
import { setTimeout as sleep } from "node:timers/promises";
import { PATH } from "../../kube/paths.ts";
import type { Pod } from "../../kube/types.ts";
import { INJECTED, LABEL } from "../../model/names.ts";
import { containerPid, delay, heal, partition, poweroff, poweron, signalDaemon } from "../../test/cluster/cluster.ts";
import { filter, unfilter } from "../../test/e2e/lib/firewall.ts";
import { handlerPids } from "../matrix/faults/steps.ts";
import type { Scene, SoakFault } from "./fault.ts";

const nameOf = (pod: Pod | undefined): string => pod?.metadata?.name ?? "";
const addressOf = (pod: Pod | undefined): string => pod?.status?.podIP ?? "";
const nodeOf = (pod: Pod | undefined): string => pod?.spec?.nodeName ?? "";

/** A redis' first process. */
async function pidOf({ group }: Scene, pod: Pod | undefined): Promise<number> {
  return await containerPid(group.namespace, nameOf(pod), "redis", { name: group.cluster });
}

const replica = ({ pods, random }: Scene): Pod | undefined => random.pick(pods.slice(1));
const kubectl = async ({ group }: Scene, ...args: string[]): Promise<unknown> =>
  await group.bed.kubectl(["-n", group.namespace, ...args], { timeoutMs: 100_000 });

/** Stopped for a while; a process that ended meanwhile needs nothing. */
async function stopped(pid: number, ms: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await sleep(ms);
  try {
    process.kill(pid, "SIGCONT");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** The processes of so many sentinels, wherever they run. */
async function sentinelPids(scene: Scene, count: number): Promise<number[]> {
  const { group, random } = scene;
  const pods = (await group.group.pods()).filter(({ metadata }) => metadata?.labels?.[LABEL.sentinel] === "true");
  const chosen: Pod[] = [];
  while (chosen.length < count && pods.length > 0) chosen.push(...pods.splice(random.integer(0, pods.length - 1), 1));
  return await Promise.all(
    chosen.map(async (pod) => {
      const sidecar = pod.metadata?.labels?.[LABEL.redis] === "true";
      const container = sidecar ? INJECTED.sentinelContainer : "redis";
      return await containerPid(group.namespace, nameOf(pod), container, { name: group.cluster });
    }),
  );
}

/** Packets that match are dropped on the master's node for a while. */
async function dropped(scene: Scene, rules: (master: string, others: string) => string[]): Promise<void> {
  const [master, ...others] = scene.pods;
  const node = nodeOf(master);
  await filter(scene.group.bed, node, rules(addressOf(master), `{ ${others.map(addressOf).join(", ")} }`));
  try {
    await sleep(scene.random.between(2000, 14_000));
  } finally {
    await unfilter(scene.group.bed, node);
  }
}

async function cordoned(scene: Scene): Promise<void> {
  const node = nodeOf(scene.pods[0]);
  await scene.group.bed.kubectl(["cordon", node]);
  try {
    await sleep(scene.random.between(3000, 8000));
  } finally {
    await scene.group.bed.kubectl(["uncordon", node]);
  }
}

const GROUP: readonly SoakFault[] = [
  {
    what: "kill -9 of a master",
    cost: "death",
    deadly: true,
    scope: "group",
    weight: 4,
    act: async (scene) => void process.kill(await pidOf(scene, scene.pods[0]), "SIGKILL"),
  },
  {
    what: "kill -9 of a replica",
    cost: "none",
    deadly: true,
    scope: "group",
    weight: 1,
    act: async (scene) => void process.kill(await pidOf(scene, replica(scene)), "SIGKILL"),
  },
  {
    what: "a master's pod deleted",
    cost: "none",
    deadly: true,
    scope: "group",
    weight: 3,
    act: async ({ group, pods }) => void (await group.bed.kube.remove(PATH.pods(group.namespace, nameOf(pods[0])))),
  },
  {
    what: "a replica's pod deleted",
    cost: "none",
    deadly: true,
    scope: "group",
    weight: 1,
    act: async (scene) => void (await scene.group.bed.kube.remove(PATH.pods(scene.group.namespace, nameOf(replica(scene))))),
  },
  {
    what: "a master's pod deleted by force",
    cost: "death",
    deadly: true,
    scope: "group",
    weight: 1,
    act: async (scene) =>
      void (await kubectl(scene, "delete", "pod", nameOf(scene.pods[0]), "--force", "--grace-period=0", "--wait=false")),
  },
  {
    what: "a roll-out",
    cost: "none",
    deadly: true,
    scope: "group",
    weight: 1,
    act: async (scene) => {
      await kubectl(scene, "rollout", "restart", scene.group.workload);
      await kubectl(scene, "rollout", "status", scene.group.workload, "--timeout=90s");
    },
  },
  {
    what: "a hand-over on request",
    cost: "none",
    deadly: false,
    scope: "group",
    weight: 4,
    act: async ({ group }) => await group.handover(),
  },
  {
    what: "a master stopped for 1 to 9 s",
    // Long enough, it is a death to all others.
    cost: "death",
    deadly: false,
    scope: "group",
    weight: 2,
    act: async (scene) => await stopped(await pidOf(scene, scene.pods[0]), scene.random.between(1000, 9000)),
  },
  {
    what: "a replica stopped for 1 to 9 s",
    cost: "none",
    deadly: false,
    scope: "group",
    weight: 1,
    act: async (scene) => await stopped(await pidOf(scene, replica(scene)), scene.random.between(1000, 9000)),
  },
  {
    what: "one to three sentinels killed",
    cost: "none",
    deadly: false,
    scope: "group",
    weight: 2,
    act: async (scene) => {
      for (const pid of await sentinelPids(scene, scene.random.integer(1, 3))) process.kill(pid, "SIGKILL");
    },
  },
  {
    what: "a sentinel stopped for 3 to 8 s",
    cost: "none",
    deadly: false,
    scope: "group",
    weight: 1,
    act: async (scene) => {
      const [pid] = await sentinelPids(scene, 1);
      if (pid !== undefined) await stopped(pid, scene.random.between(3000, 8000));
    },
  },
];

const NETWORK: readonly SoakFault[] = [
  {
    what: "a node cut off for 2 to 20 s",
    cost: "isolated",
    deadly: false,
    scope: "network",
    weight: 2,
    act: async ({ nodes, random, cluster }) => {
      const node = random.pick(nodes);
      await partition(node, { name: cluster });
      try {
        await sleep(random.between(2000, 20_000));
      } finally {
        await heal(node, { name: cluster });
      }
    },
  },
  {
    what: "a node without power for 4 to 12 s",
    cost: "death",
    deadly: true,
    scope: "network",
    weight: 1,
    act: async ({ nodes, nodesWithoutHandlers, handlersMayDie, random, cluster }) => {
      const able = handlersMayDie ? nodes : nodesWithoutHandlers;
      if (able.length === 0) throw new Error("handlers run on every node");
      const node = random.pick(able);
      await poweroff(node, { name: cluster });
      try {
        await sleep(random.between(4000, 12_000));
      } finally {
        await poweron(node, { name: cluster });
      }
    },
  },
  {
    what: "a master that can't reach its replicas for 2 to 14 s",
    cost: "isolated",
    deadly: false,
    scope: "network",
    weight: 2,
    act: async (scene) =>
      await dropped(scene, (master, others) => [
        `ip saddr ${master} ip daddr ${others} drop`,
        `ip saddr ${others} ip daddr ${master} drop`,
      ]),
  },
  {
    what: "20 % of a master's packets lost for 2 to 14 s",
    cost: "late",
    deadly: false,
    scope: "network",
    weight: 1,
    act: async (scene) => await dropped(scene, (master) => [`ip saddr ${master} numgen random mod 100 < 20 drop`]),
  },
  {
    what: "a master's packets up to 300 ms late for 3 to 12 s",
    cost: "late",
    deadly: false,
    scope: "network",
    weight: 1,
    act: async ({ pods, random, cluster }) => {
      const [master] = pods;
      const end = await delay(nodeOf(master), addressOf(master), Math.round(random.between(50, 300)), { name: cluster });
      try {
        await sleep(random.between(3000, 12_000));
      } finally {
        await end();
      }
    },
  },
  {
    what: "a master's node cordoned for 3 to 8 s",
    cost: "none",
    deadly: false,
    scope: "network",
    weight: 1,
    act: cordoned,
  },
];

const SYSTEM: readonly SoakFault[] = [
  {
    what: "the leading handler killed",
    cost: "none",
    deadly: false,
    scope: "system",
    weight: 2,
    act: async ({ group, handlersMayDie }) => {
      if (!handlersMayDie) throw new Error("the handlers' memory is being judged");
      const [leader] = await handlerPids({ ours: group });
      if (leader !== undefined) process.kill(leader, "SIGKILL");
    },
  },
  {
    what: "the leading handler stopped for 1 to 8 s",
    cost: "none",
    deadly: false,
    scope: "system",
    weight: 2,
    act: async ({ group, random }) => {
      const [leader] = await handlerPids({ ours: group });
      if (leader !== undefined) await stopped(leader, random.between(1000, 8000));
    },
  },
  {
    what: "the API server stopped for 2 to 12 s",
    cost: "none",
    deadly: false,
    scope: "system",
    weight: 1,
    act: async ({ random, cluster }) => {
      signalDaemon("control-plane", "kube-apiserver", "SIGSTOP", { name: cluster });
      try {
        await sleep(random.between(2000, 12_000));
      } finally {
        signalDaemon("control-plane", "kube-apiserver", "SIGCONT", { name: cluster });
      }
    },
  },
];

export const SOAK_FAULTS: readonly SoakFault[] = [...GROUP, ...NETWORK, ...SYSTEM];
