/** Faults of the master's process and of the sentinels' processes. */
import { PATH } from "../../../kube/paths.ts";
import type { Pod } from "../../../kube/types.ts";
import { DOWN_AFTER_DEFAULT_MS } from "../../../model/annotation-table.ts";
import { masterServiceName, REQUEST } from "../../../model/names.ts";
import { limitMemory, oomKills } from "../../../test/cluster/cluster.ts";
import { leader } from "../../../test/e2e/lib/handlers.ts";
import { stopAt } from "../../../test/e2e/lib/stop-at.ts";
import { waitUntil } from "../../../test/e2e/lib/wait.ts";
import type { Faults, MatrixFault, Scene } from "../fault.ts";
import { kill, masterPid, nameOf, ofBenchmark, others, seconds, sentinelPid, signalRedis, untilAnotherMaster } from "./steps.ts";

const MEMORY_LIMIT = 64 * 2 ** 20;
/** A script that takes memory until it is stopped; nothing of it is replicated. */
const GREEDY = "local t = {} for i = 1, 1000000 do t[i] = string.rep('x', 1048576) .. i end return #t";
/** Of a hand-over, in order (handlers/act/handover.ts): at each of them the master is killed once in so many runs. */
const HANDOVER_STEPS = ["paused", "equal", "voted", "promoted", "agreed", "demoted", "patched", "routed", "cut"];
const REACHED_MS = 15_000;
/** Of a process that SIGKILL ended: 128 + 9. */
const KILLED_CODE = 137;

/** The container of the master that runs: what ended before in this pod, perhaps for memory too, is another one. */
async function containerId({ ours, pod }: Scene): Promise<string> {
  const found = await ours.bed.kube.get<Pod>(PATH.pods(ours.namespace, pod));
  const id = found.status?.containerStatuses?.find(({ name }) => name === "redis")?.containerID;
  if (id === undefined) throw new Error(`${pod} has no container redis yet`);
  return id;
}

/**
 * Waits until the kubelet tells of the end of this very container, and the kernel counts one more that it killed for memory: a kill -9 has the same exit code.
 * @param kills the kernel's count before
 */
async function untilKilledForMemory({ ours, pod, note }: Scene, container: string, kills: number): Promise<void> {
  const ended = await waitUntil("the kernel to kill the master", 30_000, async () => {
    const found = await ours.bed.kube.get<Pod>(PATH.pods(ours.namespace, pod));
    const status = found.status?.containerStatuses?.find(({ name }) => name === "redis");
    const ends = [status?.state?.terminated, status?.lastState?.terminated];
    const own = ends.find((end) => end?.containerID === container);
    if (own === undefined) throw new Error("its container still runs");
    return own;
  });
  note(`${ended.reason}, code ${ended.exitCode}, at ${ended.finishedAt}`);
  if (ended.exitCode !== KILLED_CODE || oomKills() === kills)
    throw new Error(
      `no death for memory: ${ended.reason}, code ${ended.exitCode}, and the kernel counts ${oomKills() - kills} more`,
    );
}

/** Long enough, another one is promoted, and what stood between the replies and the replicas' stream is gone as with a death. */
function stopped(time: number): MatrixFault {
  return {
    what: `SIGSTOP of the master for ${time} s`,
    allowed: time * 1000 > DOWN_AFTER_DEFAULT_MS ? "death" : "none",
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

/** What a jump of a sentinel's clock leads to: for 30 s it judges nothing. */
function tilted(count: number): MatrixFault {
  return {
    what: `${count === 1 ? "a sentinel" : `${count} sentinels`} in TILT (stopped for 3 s) while the master is killed`,
    allowed: "death",
    act: async (scene) => {
      const pods = [...(await others(scene)).map(nameOf), scene.pod].slice(0, count);
      const sentinels = await Promise.all(pods.map(async (pod) => await sentinelPid(scene, pod)));
      const master = await masterPid(scene);
      for (const pid of sentinels) process.kill(pid, "SIGSTOP");
      try {
        await seconds(3);
      } finally {
        for (const pid of sentinels) process.kill(pid, "SIGCONT");
      }
      await waitUntil("TILT", 5000, async () => {
        const tilted = await scene.ours.group.inTilt();
        if (tilted.length < count) throw new Error(`${tilted.length} of ${count} sentinels are in it`);
      });
      kill(master);
      await untilAnotherMaster(scene);
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
      const [container, kills] = [await containerId(scene), oomKills()];
      await limitMemory(ours.namespace, pod, "redis", MEMORY_LIMIT, { name: ours.cluster });
      const greedy = scene.client.commands(await ours.group.at(ip), [["EVAL", GREEDY, "0"]]).catch(() => undefined);
      await untilKilledForMemory(scene, container, kills);
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
    what: "the master and a sentinel killed together, that of each pod in turn",
    allowed: "death",
    varies: true,
    act: async (scene) => {
      // While the handlers promote no sentinel leads: any of them may be the one that is missed.
      const pods = [...(await others(scene)).map(nameOf), scene.pod];
      const pod = pods[scene.run % pods.length] ?? "";
      kill(await masterPid(scene), await sentinelPid(scene, pod));
      scene.note(`the sentinel of ${pod === scene.pod ? "the master's own pod" : "another pod"}`);
      await untilAnotherMaster(scene);
    },
  },
  "master-in-handover": {
    what: `the master killed in the middle of a hand-over, at each step once in ${HANDOVER_STEPS.length} runs`,
    allowed: "death",
    varies: true,
    act: async (scene) => {
      const { ours, run, note } = scene;
      const pid = await masterPid(scene);
      const step = HANDOVER_STEPS[run % HANDOVER_STEPS.length] ?? "";
      const standstill = await stopAt(ours.bed, await leader(ours.bed), { kind: "handover", step });
      try {
        await ours.bed.kube.mergePatch(PATH.services(ours.namespace, masterServiceName(ours.group.cluster)), {
          metadata: { annotations: { [REQUEST.handover]: "any" } },
        });
        await standstill.reached(REACHED_MS);
        kill(pid);
        standstill.resume();
        note(`killed at: ${step}`);
        await untilAnotherMaster(scene);
      } finally {
        standstill.close();
      }
    },
  },
  tilt: tilted(1),
  "tilt-all": tilted(3),
};
