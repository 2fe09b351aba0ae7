/** The Deployments and StatefulSets that a group's pods come from: where Events are put, and whose un-injected pods may hold data. */
import type { Kube } from "../../kube/client.ts";
import { PATH } from "../../kube/paths.ts";
import type { Deployment, ObjectRef, Pod, ReplicaSet, Service } from "../../kube/types.ts";
import { LABEL, REDIS_PORT } from "../../model/names.ts";
import type { OutsiderPod } from "../observe/group-links.ts";
import { serviceFact } from "./service-fact.ts";

type Labels = Readonly<Record<string, string>>;

interface Owner {
  readonly ref: ObjectRef;
  /** what the Deployment selects its pods by; undefined while not yet known */
  selector?: Labels;
}

export class WorkloadRefs {
  readonly #kube: Kube;
  /** by the uid of a ReplicaSet: its Deployment, or undefined where it has none */
  readonly #deployments = new Map<string, Promise<Owner | undefined>>();
  /** the same, as far as it is known already */
  readonly #known = new Map<string, Owner>();

  constructor(kube: Kube) {
    this.#kube = kube;
  }

  /** Distinct workloads of these pods. A ReplicaSet that was not seen before is looked up in the background and is there the next time. */
  of(pods: readonly Pod[]): ObjectRef[] {
    const found = new Map<string, ObjectRef>();
    for (const pod of pods) {
      const owner = pod.metadata?.ownerReferences?.find((one) => one.controller === true);
      const namespace = pod.metadata?.namespace ?? "";
      if (owner?.kind === "StatefulSet") {
        found.set(owner.uid, { apiVersion: owner.apiVersion, kind: owner.kind, namespace, name: owner.name, uid: owner.uid });
      }
      if (owner?.kind !== "ReplicaSet") continue;
      this.#deployment(owner.uid, namespace, owner.name).catch(() => undefined);
      const deployment = this.#known.get(owner.uid)?.ref;
      if (deployment !== undefined) found.set(deployment.uid ?? deployment.name, deployment);
    }
    return [...found.values()];
  }

  /**
   * Running pods that belong to the same Deployments, or that `service` selected before it was taken over, and that the webhook has not injected.
   * Rejects when the API server does not answer: not knowing is not the same as none.
   */
  async outsiders(
    pods: readonly Pod[],
    service: Service | undefined,
  ): Promise<{ pods: OutsiderPod[]; selector: Labels | undefined }> {
    const namespace = pods[0]?.metadata?.namespace;
    if (namespace === undefined) return { pods: [], selector: undefined };
    const selectors: Labels[] = [];
    for (const { uid, name } of replicaSetsOf(pods)) {
      const selector = (await this.#deployment(uid, namespace, name))?.selector;
      if (selector !== undefined && !selectors.some((one) => asText(one) === asText(selector))) selectors.push(selector);
    }
    const own = selectors[0];
    const original = service === undefined ? undefined : serviceFact(service)?.originalSelector;
    // An empty selector would list every pod of the namespace.
    if (original !== undefined && Object.keys(original).length > 0) selectors.push(original);
    const found = new Map<string, OutsiderPod>();
    for (const selector of selectors) {
      const list = await this.#kube.list<Pod>(PATH.pods(namespace), { query: { labelSelector: asText(selector) } });
      for (const pod of list.items) {
        const outsider = outsiderOf(pod);
        if (outsider !== undefined) found.set(outsider.uid, outsider);
      }
    }
    return { pods: [...found.values()], selector: own };
  }

  #deployment(uid: string, namespace: string, name: string): Promise<Owner | undefined> {
    const known = this.#deployments.get(uid);
    if (known !== undefined) return known;
    const asked = this.#lookUp(namespace, name);
    this.#deployments.set(uid, asked);
    asked.then(
      (owner) => owner !== undefined && this.#known.set(uid, owner),
      () => this.#deployments.delete(uid),
    );
    return asked;
  }

  async #lookUp(namespace: string, name: string): Promise<Owner | undefined> {
    const replicaSet = await this.#kube.get<ReplicaSet>(PATH.replicaSets(namespace, name));
    const owner = replicaSet.metadata?.ownerReferences?.find((one) => one.controller === true && one.kind === "Deployment");
    if (owner === undefined) return undefined;
    const deployment = await this.#kube.get<Deployment>(PATH.deployments(namespace, owner.name));
    const selector = deployment.spec?.selector.matchLabels;
    return {
      ref: { apiVersion: owner.apiVersion, kind: owner.kind, namespace, name: owner.name, uid: owner.uid },
      ...(selector === undefined ? {} : { selector }),
    };
  }
}

function replicaSetsOf(pods: readonly Pod[]): { uid: string; name: string }[] {
  const found = new Map<string, { uid: string; name: string }>();
  for (const pod of pods) {
    const owner = pod.metadata?.ownerReferences?.find((one) => one.controller === true && one.kind === "ReplicaSet");
    if (owner !== undefined) found.set(owner.uid, { uid: owner.uid, name: owner.name });
  }
  return [...found.values()];
}

const asText = (selector: Labels): string =>
  Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");

/** An un-injected pod that runs; its redis is expected at the first declared port, else at 6379. */
function outsiderOf(pod: Pod): OutsiderPod | undefined {
  const { name, uid, labels = {}, deletionTimestamp, creationTimestamp } = pod.metadata ?? {};
  const ip = pod.status?.podIP;
  if (name === undefined || uid === undefined || ip === undefined || labels[LABEL.instance] !== undefined) return undefined;
  if (pod.status?.phase !== "Running") return undefined;
  const port = pod.spec?.containers.flatMap((container) => container.ports ?? [])[0]?.containerPort ?? REDIS_PORT;
  return {
    pod: name,
    uid,
    address: { ip, port },
    createdAt: creationTimestamp === undefined ? 0 : new Date(creationTimestamp).getTime(),
    terminating: deletionTimestamp !== undefined,
  };
}
