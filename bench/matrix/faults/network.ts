/** Faults of the network, and of whole nodes. */
import { delay, heal, partition, poweroff, poweron } from "../../../test/cluster/cluster.ts";
import { filter, unfilter } from "../../../test/e2e/lib/firewall.ts";
import type { Faults, MatrixFault, Scene } from "../fault.ts";
import { others, seconds, untilAnotherMaster } from "./steps.ts";

function partitioned(time: number, clientWithMaster: boolean): MatrixFault {
  return {
    what: `the master's node cut off for ${time} s, the client ${clientWithMaster ? "with the master" : "on the other side"}`,
    allowed: "isolated",
    clientWithMaster,
    act: async ({ ours, node }) => {
      await partition(node, { name: ours.cluster });
      try {
        await seconds(time);
      } finally {
        await heal(node, { name: ours.cluster });
      }
    },
  };
}

/** Packets of the master's pod that its node forwards. */
async function filtered({ ours, node }: Scene, rules: readonly string[], time: number): Promise<void> {
  await filter(ours.bed, node, rules);
  try {
    await seconds(time);
  } finally {
    await unfilter(ours.bed, node);
  }
}

export const NETWORK: Faults = {
  poweroff: {
    what: "the master's node loses its power, and boots again",
    allowed: "death",
    act: async (scene) => {
      const { node, ours } = scene;
      await poweroff(node, { name: ours.cluster });
      try {
        await untilAnotherMaster(scene);
      } finally {
        await poweron(node, { name: ours.cluster });
      }
    },
  },
  "partition-5": partitioned(5, false),
  "partition-60": partitioned(60, false),
  "partition-5-inside": partitioned(5, true),
  "partition-60-inside": partitioned(60, true),
  "majority-isolated": {
    what: "the other two pods, with the majority of the sentinels, can't reach the master for 20 s; clients and handlers can",
    allowed: "isolated",
    act: async (scene) => {
      const addresses = (await others(scene)).map(({ status }) => status?.podIP ?? "");
      const set = `{ ${addresses.join(", ")} }`;
      await filtered(scene, [`ip saddr ${scene.ip} ip daddr ${set} drop`, `ip saddr ${set} ip daddr ${scene.ip} drop`], 20);
    },
  },
  "loss-out": {
    what: "30 % of the packets that the master's pod sends are lost for 15 s",
    allowed: "none",
    act: async (scene) => await filtered(scene, [`ip saddr ${scene.ip} numgen random mod 100 < 30 drop`], 15),
  },
  "loss-in": {
    what: "30 % of the packets to the master's pod are lost for 15 s",
    allowed: "none",
    act: async (scene) => await filtered(scene, [`ip daddr ${scene.ip} numgen random mod 100 < 30 drop`], 15),
  },
  "delay-300": {
    what: "every packet to and from the master's pod 300 ms late for 20 s",
    allowed: "none",
    act: async ({ ours, node, ip }) => {
      const end = await delay(node, ip, 300, { name: ours.cluster });
      try {
        await seconds(20);
      } finally {
        await end();
      }
    },
  },
  "deaf-replicas": {
    what: "no packet of the master reaches the other pods for 20 s; theirs reach it",
    allowed: "deaf",
    act: async (scene) => {
      const addresses = (await others(scene)).map(({ status }) => status?.podIP ?? "");
      await filtered(scene, [`ip saddr ${scene.ip} ip daddr { ${addresses.join(", ")} } drop`], 20);
    },
  },
};
