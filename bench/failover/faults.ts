/** The faults of the benchmark: how each is made, and how it is taken back. */
import { PATH } from "../../kube/paths.ts";
import { REQUEST } from "../../model/names.ts";
import { heal, partition } from "../../test/cluster/cluster.ts";
import { signal } from "../../test/e2e/lib/bed.ts";
import type { Group } from "../../test/e2e/lib/group.ts";

export interface Victim {
  readonly group: Group;
  readonly cluster: string;
  readonly pod: string;
  readonly node: string;
}

export interface Fault {
  readonly what: string;
  /** sudden: asynchronous replication may lose what was not yet sent. planned: nothing may be lost. silent: nothing tells but Sentinel's own detection. */
  readonly kind: "sudden" | "planned" | "silent";
  /** the master's node must not be the client's: the client would be cut off, not the master */
  readonly clientElsewhere?: boolean;
  make(victim: Victim): Promise<void>;
  /** after `holdMs`, if the fault has to be taken back */
  undo?(victim: Victim): Promise<void>;
  readonly holdMs?: number;
  /** the pod that was master may be master again afterwards */
  readonly anyMaster?: boolean;
}

const kubectl = async ({ group }: Victim, ...args: string[]): Promise<void> => {
  await group.bed.kubectl(["-n", group.namespace, ...args]);
};

export const FAULTS: Readonly<Record<string, Fault>> = {
  kill9: {
    what: "kill -9 of the master's process",
    kind: "sudden",
    make: ({ group, pod }) => signal(group.bed, group.namespace, pod, "redis", "SIGKILL"),
  },
  delete: {
    what: "kubectl delete pod of the master",
    kind: "planned",
    make: ({ group, pod }) => group.bed.kube.remove(PATH.pods(group.namespace, pod)),
  },
  force: {
    what: "kubectl delete pod --force --grace-period=0",
    kind: "sudden",
    make: (victim) => kubectl(victim, "delete", "pod", victim.pod, "--force", "--grace-period=0", "--wait=false"),
  },
  drain: {
    what: "kubectl drain of the master's node",
    kind: "planned",
    clientElsewhere: true,
    make: async ({ group, node }) => {
      await group.bed.kubectl(["cordon", node]);
      await group.bed.kubectl(
        [
          "drain",
          node,
          "--ignore-daemonsets",
          "--delete-emptydir-data",
          `--pod-selector=redis-ha.io/cluster=${group.cluster}`,
          "--timeout=60s",
        ],
        { allowFailure: true },
      );
    },
    undo: async ({ group, node }) => {
      await group.bed.kubectl(["uncordon", node]);
    },
    holdMs: 0,
  },
  handover: {
    what: "redis-ha.io/handover on the Service",
    kind: "planned",
    make: (victim) => kubectl(victim, "annotate", "--overwrite", "service", "cache-master", `${REQUEST.handover}=any`),
  },
  rollout: {
    what: "kubectl rollout restart of the whole group",
    kind: "planned",
    make: async (victim) => {
      await kubectl(victim, "rollout", "restart", "deployment/cache");
      await victim.group.bed.kubectl(["-n", victim.group.namespace, "rollout", "status", "deployment/cache", "--timeout=300s"], {
        timeoutMs: 310_000,
      });
    },
  },
  sigstop: {
    what: "SIGSTOP of the master for 8 s",
    kind: "silent",
    make: ({ group, pod }) => signal(group.bed, group.namespace, pod, "redis", "SIGSTOP"),
    undo: ({ group, pod }) => signal(group.bed, group.namespace, pod, "redis", "SIGCONT"),
    holdMs: 8000,
  },
  partition: {
    what: "the master's node cut off for 20 s",
    kind: "silent",
    clientElsewhere: true,
    make: async ({ node, cluster }) => partition(node, { name: cluster }),
    undo: async ({ node, cluster }) => heal(node, { name: cluster }),
    holdMs: 20_000,
  },
  all: {
    what: "all pods of the group deleted at once",
    kind: "planned",
    anyMaster: true,
    make: (victim) => kubectl(victim, "delete", "pods", "-l", "redis-ha.io/has-redis=true", "--wait=false"),
  },
};
