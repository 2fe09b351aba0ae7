/** Faults and works of Kubernetes: pods, rollouts, handlers, the API server, disks, addresses. */
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { PATH } from "../../../kube/paths.ts";
import type { Pod } from "../../../kube/types.ts";
import { REDIS_PORT } from "../../../model/names.ts";
import { giveAddressNext, signalDaemon } from "../../../test/cluster/cluster.ts";
import { SYSTEM } from "../../../test/e2e/lib/bed.ts";
import { waitUntil } from "../../../test/e2e/lib/wait.ts";
import type { Faults, MatrixFault, Scene } from "../fault.ts";
import { handlerPids, kill, masterPid, ofBenchmark, seconds, untilAnotherMaster } from "./steps.ts";

const MIB = Buffer.alloc(2 ** 20, "x");
/** Right after the master's death, in the middle of the failover, ms. */
const DURING_MS = 30;

async function scale({ ours }: Scene, replicas: number): Promise<void> {
  const { bed, namespace, workload } = ours;
  await bed.kubectl(["-n", namespace, "scale", workload, `--replicas=${replicas}`]);
  await waitUntil(`${replicas} pods`, 120_000, async () => {
    const pods = await ours.group.pods({ terminating: true });
    if (pods.length !== replicas) throw new Error(`${pods.length} pods`);
  });
}

const TAINT = "redis-ha-test/full=yes";
const STRANGERS_KEYS = 100;

/** A redis of somebody else: no password, its own data. */
const STRANGER = {
  metadata: { name: "stranger", labels: { app: "stranger" } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: "redis",
        image: "docker.io/library/redis:7",
        imagePullPolicy: "IfNotPresent",
        args: ["--protected-mode", "no", "--enable-debug-command", "yes"],
      },
    ],
  },
};

/**
 * Somebody else's redis keeps its data and gets none of ours. That a sentinel makes it a replica, in vain for want of a password, can't be kept from happening
 * to a server without a password (Sentinel itself does it 8 s after it saw a master at a replica's address), so it is only noted.
 */
async function strangerKeepsItsData(scene: Scene, ip: string): Promise<void> {
  const target = { host: ip, port: REDIS_PORT };
  const info = String(await scene.client.command(target, "INFO", "replication"));
  if (!info.includes("role:master")) scene.note("a sentinel made somebody else's redis a replica");
  // A replica without its master still shows what it has.
  const size = await scene.client.command(target, "DBSIZE");
  if (size !== STRANGERS_KEYS)
    throw new Error(`somebody else's redis at the old address has ${size} keys instead of ${STRANGERS_KEYS}`);
}

async function reuseAddress(scene: Scene): Promise<void> {
  const { ours, node, ip, pod } = scene;
  const { bed, namespace, cluster } = ours;
  const stranger = PATH.pods(namespace, "stranger");
  // Our own new pod must not be the one that gets it. No cordon: that would be a hand-over.
  await bed.kubectl(["taint", "node", node, `${TAINT}:NoSchedule`]);
  try {
    await bed.kubectl(["-n", namespace, "delete", "pod", pod, "--force", "--grace-period=0"]);
    await waitUntil("the address to be free", 60_000, async () => giveAddressNext(node, ip, { name: cluster }));
    await bed.kube.create(PATH.pods(namespace), { ...STRANGER, spec: { ...STRANGER.spec, nodeName: node } });
    await waitUntil("somebody else at that address", 30_000, async () => {
      const found = await bed.kube.get<Pod>(stranger);
      if (found.status?.phase !== "Running") throw new Error(`the pod is ${found.status?.phase}`);
      if (found.status.podIP !== ip) throw new Error(`it got ${found.status.podIP}, not ${ip}`);
    });
    await waitUntil("its data", 10_000, async () => {
      await scene.client.command({ host: ip, port: REDIS_PORT }, "DEBUG", "POPULATE", String(STRANGERS_KEYS));
    });
  } finally {
    await bed.kubectl(["taint", "node", node, `${TAINT}:NoSchedule-`], { allowFailure: true });
  }
  await waitUntil("the group to be whole beside it", 60_000, async () => await ours.whole());
  // Longer than a sentinel waits before it puts a wrong role right.
  await seconds(10);
  await strangerKeepsItsData(scene, ip);
  await bed.kubectl(["-n", namespace, "delete", "pod", "stranger", "--force", "--grace-period=0"]);
}

/** A replica that can't write what its master sends ends (replica-ignore-disk-write-errors), so another process may have the disk by the end. */
async function fillDisk(scene: Scene): Promise<void> {
  const disk = async (): Promise<string> => `/proc/${await masterPid(scene)}/root/data`;
  const folder = await disk();
  const full = `${folder}/full`;
  try {
    for (;;) writeFileSync(full, MIB, { flag: "a" });
  } catch (error) {
    scene.note(`${error instanceof Error && "code" in error ? error.code : error} with ${readdirSync(folder).join(", ")}`);
  }
  try {
    const target = await scene.ours.group.at(scene.ip);
    await scene.client.command(target, "BGSAVE");
    await seconds(20);
  } finally {
    await waitUntil("the disk to be free again", 60_000, async () => rmSync(`${await disk()}/full`));
  }
  // As soon as it can save again it takes writes again.
  await scene.client.command(await scene.ours.group.at(scene.ip), "BGSAVE").catch(() => undefined);
}

function apiStopped(time: number, during: boolean): MatrixFault {
  return {
    what: `the API server stopped for ${time} s, ${during ? `from ${DURING_MS} ms after the master's death on` : "nothing else"}`,
    allowed: during ? "death" : "none",
    act: async (scene) => {
      const server = (signal: NodeJS.Signals): void =>
        signalDaemon("control-plane", "kube-apiserver", signal, { name: scene.ours.cluster });
      if (during) {
        kill(await masterPid(scene));
        await sleep(DURING_MS);
      }
      server("SIGSTOP");
      try {
        await seconds(time);
      } finally {
        server("SIGCONT");
      }
    },
  };
}

export const CLUSTER: Faults = {
  delete: ofBenchmark("delete", "none"),
  force: ofBenchmark("force", "death"),
  drain: ofBenchmark("drain", "none"),
  handover: ofBenchmark("handover", "none"),
  rollout: ofBenchmark("rollout", "none"),
  "scale-1": {
    what: "scaled to one replica and back to three",
    allowed: "none",
    act: async (scene) => {
      await scale(scene, 1);
      await seconds(3);
      await scale(scene, 3);
    },
  },
  all: ofBenchmark("all", "none"),
  "handler-1": {
    what: "the leading handler killed together with the master",
    allowed: "death",
    act: async (scene) => {
      const [leading = 0] = await handlerPids(scene);
      kill(await masterPid(scene), leading);
      await untilAnotherMaster(scene);
    },
  },
  "handler-2": {
    what: `both handlers killed ${DURING_MS} ms after the master, during the failover`,
    allowed: "death",
    act: async (scene) => {
      const handlers = await handlerPids(scene);
      kill(await masterPid(scene));
      await sleep(DURING_MS);
      kill(...handlers);
      await untilAnotherMaster(scene);
    },
  },
  "handlers-restart": {
    what: "a rollout of the handlers, and the master killed in it",
    allowed: "death",
    varies: true,
    act: async (scene) => {
      const { bed } = scene.ours;
      const pid = await masterPid(scene);
      await bed.kubectl(["-n", SYSTEM, "rollout", "restart", "deployment/redis-ha"]);
      const later = 1 + (scene.run % 4);
      await seconds(later);
      kill(pid);
      scene.note(`killed ${later} s after its begin`);
      await untilAnotherMaster(scene);
      await bed.kubectl(["-n", SYSTEM, "rollout", "status", "deployment/redis-ha", "--timeout=120s"], { timeoutMs: 130_000 });
    },
  },
  "api-stop": apiStopped(60, true),
  "api-stop-calm": apiStopped(30, false),
  "disk-full": {
    what: "the disk of the master full for 20 s while it saves",
    allowed: "none",
    smallDisk: true,
    act: fillDisk,
  },
  "address-reuse": {
    what: "the master's pod deleted by force, and somebody else's redis gets its address",
    allowed: "death",
    act: reuseAddress,
  },
};
