/** The faults of the benchmark: how each is made, and how it is taken back. */
import { PATH } from "../../kube/paths.ts";
import { heal, partition } from "../../test/cluster/cluster.ts";
import { signal } from "../../test/e2e/lib/bed.ts";
import type { Stack } from "./stack.ts";

export interface Victim {
  readonly stack: Stack;
  /** the master's pod and its node */
  readonly pod: string;
  readonly node: string;
}

export interface Fault {
  readonly what: string;
  /** sudden: asynchronous replication may lose what was not yet sent. planned: nothing may be lost. silent: nothing tells but Sentinel's own detection. */
  readonly kind: "sudden" | "planned" | "silent";
  make(victim: Victim): Promise<void>;
  /** Takes it back: as soon as another master serves the clients. */
  undo?(victim: Victim): Promise<void>;
  /** the master's process ends, and something starts it anew: without anybody's decision it is master again */
  readonly ends?: boolean;
  /** not in the benchmark unless asked for */
  readonly extra?: boolean;
  /** the pod that was master may be master again afterwards */
  readonly anyMaster?: boolean;
}

const kubectl = async ({ stack }: Victim, ...args: string[]): Promise<void> => {
  await stack.bed.kubectl(["-n", stack.namespace, ...args], { timeoutMs: 310_000 });
};

const redisSignal =
  (name: NodeJS.Signals) =>
  async ({ stack, pod }: Victim): Promise<void> =>
    await signal(stack.bed, stack.namespace, pod, "redis", name);

export const FAULTS: Readonly<Record<string, Fault>> = {
  kill9: { what: "kill -9 of the master's process", kind: "sudden", ends: true, make: redisSignal("SIGKILL") },
  delete: {
    what: "kubectl delete pod of the master",
    kind: "planned",
    ends: true,
    make: async ({ stack, pod }) => await stack.bed.kube.remove(PATH.pods(stack.namespace, pod)),
  },
  drain: {
    what: "kubectl drain of the master's node",
    kind: "planned",
    ends: true,
    make: async ({ stack, node }) => {
      const options = ["--ignore-daemonsets", "--delete-emptydir-data", `--pod-selector=${stack.selector}`, "--timeout=60s"];
      try {
        await stack.bed.kubectl(["drain", node, ...options]);
      } finally {
        await stack.bed.kubectl(["uncordon", node]);
      }
    },
  },
  handover: {
    what: "hand-over on request",
    kind: "planned",
    make: async ({ stack }) => await stack.handover(),
  },
  sigstop: {
    what: "SIGSTOP of the master",
    kind: "silent",
    make: redisSignal("SIGSTOP"),
    undo: redisSignal("SIGCONT"),
  },
  partition: {
    what: "the master's node cut off",
    kind: "silent",
    make: async ({ stack, node }) => await partition(node, { name: stack.cluster }),
    undo: async ({ stack, node }) => await heal(node, { name: stack.cluster }),
  },
  force: {
    what: "kubectl delete pod --force --grace-period=0",
    kind: "sudden",
    ends: true,
    extra: true,
    make: async (victim) => await kubectl(victim, "delete", "pod", victim.pod, "--force", "--grace-period=0", "--wait=false"),
  },
  rollout: {
    what: "kubectl rollout restart of the whole group",
    kind: "planned",
    extra: true,
    anyMaster: true,
    make: async (victim) => {
      await kubectl(victim, "rollout", "restart", victim.stack.workload);
      await kubectl(victim, "rollout", "status", victim.stack.workload, "--timeout=300s");
    },
  },
  all: {
    what: "all pods of the group deleted at once",
    kind: "planned",
    extra: true,
    anyMaster: true,
    make: async (victim) => await kubectl(victim, "delete", "pods", "-l", victim.stack.selector, "--wait=false"),
  },
};
