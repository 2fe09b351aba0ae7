/** Faults of the master's process and of the sentinels' processes. */
import { setTimeout as sleep } from "node:timers/promises";
import { PATH } from "../../../kube/paths.ts";
import type { Pod } from "../../../kube/types.ts";
import { masterServiceName, REQUEST } from "../../../model/names.ts";
import { limitMemory } from "../../../test/cluster/cluster.ts";
import { waitUntil } from "../../../test/e2e/lib/wait.ts";
import type { Faults, MatrixFault, Scene } from "../fault.ts";
import { kill, masterPid, nameOf, ofBenchmark, others, seconds, sentinelPid, signalRedis, untilAnotherMaster } from "./steps.ts";

const MEMORY_LIMIT = 64 * 2 ** 20;
/** A script that takes memory until it is stopped; nothing of it is replicated. */
const GREEDY = "local t = {} for i = 1, 1000000 do t[i] = string.rep('x', 1048576) .. i end return #t";
/** Times after the request at which the master of a handover is killed, ms: the whole sequence takes 50–150. */
const HANDOVER_KILLS_MS = [0, 10, 20, 30, 40, 55, 70, 90, 120, 160];

/** The kubelet tells why a container ended: no other death may pass for this one. */
async function untilKilledForMemory({ ours, pod, note }: Scene): Promise<void> {
  await waitUntil("the kernel to kill the master", 30_000, async () => {
    const found = await ours.bed.kube.get<Pod>(PATH.pods(ours.namespace, pod));
    const status = found.status?.containerStatuses?.find(({ name }) => name === "redis");
    const ended = status?.lastState?.terminated ?? status?.state?.terminated;
    if (ended === undefined) throw new Error("its container still runs");
    note(`${ended.reason}, code ${ended.exitCode}, at ${ended.finishedAt}`);
    if (ended.exitCode !== 137) throw new Error(`the container ended with ${ended.exitCode}, ${ended.reason}`);
  });
}

function stopped(time: number): MatrixFault {
  return {
    what: `SIGSTOP of the master for ${time} s`,
    allowed: "none",
    act: async (scene) => {
      await signalRedis(scene, scene.pod, "SIGSTOP");
      await seconds(time);
      await signalRedis(scene, scene.pod, "SIGCONT");
    },
  };
}

function sentinelsKilled(count: number): MatrixFault {
  return {
    what: `${count === 1 ? "one sentinel" : `${count} sentinels`} killed`,
    allowed: "none",
    act: async (scene) => {
      const pods = [...(await others(scene)).map(nameOf), scene.pod].slice(0, count);
      kill(...(await Promise.all(pods.map(async (pod) => await sentinelPid(scene, pod)))));
      await seconds(3);
    },
  };
}

export const PROCESSES: Faults = {
  kill9: ofBenchmark("kill9", "death"),
  "restart-empty": {
    what: "the master ends without saving, and its container restarts empty",
    allowed: "death",
    act: async (scene) => {
      const target = await scene.ours.group.at(scene.ip);
      // The connection closes before an answer.
      await scene.client.commands(target, [["SHUTDOWN", "NOSAVE", "NOW", "FORCE"]]).catch(() => undefined);
      await untilAnotherMaster(scene);
    },
  },
  oom: {
    what: "the kernel kills the master for its memory",
    allowed: "death",
    act: async (scene) => {
      const { ours, pod, ip } = scene;
      await limitMemory(ours.namespace, pod, "redis", MEMORY_LIMIT, { name: ours.cluster });
      const greedy = scene.client.commands(await ours.group.at(ip), [["EVAL", GREEDY, "0"]]).catch(() => undefined);
      await untilKilledForMemory(scene);
      await untilAnotherMaster(scene);
      await greedy;
    },
  },
  "sigstop-3": stopped(3),
  "sigstop-8": stopped(8),
  "sigstop-30": stopped(30),
  "sentinels-1": sentinelsKilled(1),
  "sentinels-2": sentinelsKilled(2),
  "sentinels-3": sentinelsKilled(3),
  "master-and-sentinel": {
    what: "the master and a sentinel of another pod killed together",
    allowed: "death",
    act: async (scene) => {
      const [other] = await others(scene);
      kill(await masterPid(scene), await sentinelPid(scene, nameOf(other)));
      await untilAnotherMaster(scene);
    },
  },
  "master-in-handover": {
    what: "the master killed in the middle of a hand-over",
    allowed: "death",
    act: async (scene) => {
      const { ours } = scene;
      const pid = await masterPid(scene);
      const after = HANDOVER_KILLS_MS[scene.run % HANDOVER_KILLS_MS.length] ?? 0;
      await ours.bed.kube.mergePatch(PATH.services(ours.namespace, masterServiceName(ours.group.cluster)), {
        metadata: { annotations: { [REQUEST.handover]: "any" } },
      });
      await sleep(after);
      kill(pid);
      scene.note(`killed ${after} ms after the request`);
      await untilAnotherMaster(scene);
    },
  },
  tilt: {
    what: "a sentinel in TILT (stopped for 3 s) while the master is killed",
    allowed: "death",
    act: async (scene) => {
      const [other] = await others(scene);
      const sentinel = await sentinelPid(scene, nameOf(other));
      process.kill(sentinel, "SIGSTOP");
      try {
        await seconds(3);
      } finally {
        process.kill(sentinel, "SIGCONT");
      }
      kill(await masterPid(scene));
      await untilAnotherMaster(scene);
    },
  },
};
