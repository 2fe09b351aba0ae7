/** The Deployments and StatefulSets that a group's pods come from, so that Events can be put where people look first. */
import type { Kube } from "../../kube/client.ts";
import { PATH } from "../../kube/paths.ts";
import type { ObjectRef, Pod, ReplicaSet } from "../../kube/types.ts";

export class WorkloadRefs {
  readonly #kube: Kube;
  /** by the uid of a ReplicaSet: its Deployment, or undefined while it is being asked for or has none */
  readonly #deployments = new Map<string, ObjectRef | undefined>();

  constructor(kube: Kube) {
    this.#kube = kube;
  }

  /** Distinct workloads of these pods. A ReplicaSet that was not seen before is looked up in the background and is there the next time. */
  of(pods: readonly Pod[]): ObjectRef[] {
    const found = new Map<string, ObjectRef>();
    for (const pod of pods) {
      const owner = pod.metadata?.ownerReferences?.find((one) => one.controller === true);
      const namespace = pod.metadata?.namespace ?? "";
      if (owner === undefined) continue;
      if (owner.kind === "StatefulSet") {
        found.set(owner.uid, { apiVersion: owner.apiVersion, kind: owner.kind, namespace, name: owner.name, uid: owner.uid });
      }
      if (owner.kind !== "ReplicaSet") continue;
      if (!this.#deployments.has(owner.uid)) this.#lookUp(owner.uid, namespace, owner.name);
      const deployment = this.#deployments.get(owner.uid);
      if (deployment !== undefined) found.set(deployment.uid ?? deployment.name, deployment);
    }
    return [...found.values()];
  }

  #lookUp(uid: string, namespace: string, name: string): void {
    this.#deployments.set(uid, undefined);
    this.#kube.get<ReplicaSet>(PATH.replicaSets(namespace, name)).then(
      (replicaSet) => {
        const owner = replicaSet.metadata?.ownerReferences?.find((one) => one.controller === true && one.kind === "Deployment");
        if (owner === undefined) return;
        this.#deployments.set(uid, {
          apiVersion: owner.apiVersion,
          kind: owner.kind,
          namespace,
          name: owner.name,
          uid: owner.uid,
        });
      },
      () => this.#deployments.delete(uid),
    );
  }
}
