/** Our own group: the quickstart's Deployment, one pod per node so that a node's fault is one pod's. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { Timeline } from "../../handlers/act/timeline.ts";
import { ANNOTATION, masterName, REQUEST, SENTINEL_PORT } from "../../model/names.ts";
import { type Bed, EXAMPLES } from "../../test/e2e/lib/bed.ts";
import type { ClientPod, Where } from "../../test/e2e/lib/client-pod.ts";
import { Group } from "../../test/e2e/lib/group.ts";
import { timelines } from "../../test/e2e/lib/handlers-view.ts";
import { waitUntil } from "../../test/e2e/lib/wait.ts";
import type { MasterSeen, Seat, Stack } from "./stack.ts";

const STEPS_MS = 8000;
export const EXPECTED = { replicas: 2, sentinels: 3 };

interface Manifest {
  spec: {
    selector: { matchLabels: Record<string, string> };
    template: {
      metadata: { annotations: Record<string, string> };
      spec: { affinity?: object; volumes?: object[]; containers: { image: string; volumeMounts?: object[] }[] };
    };
  };
}

export interface Variant {
  /** the data directory is a disk of 48 MiB */
  readonly smallDisk?: boolean;
  /** `durability: replicated` */
  readonly durable?: boolean;
}

/** The quickstart with one pod per node; pods of another revision don't count, or a rollout would never find a place for its first pod. */
export function manifestOf(image: string, { smallDisk = false, durable = false }: Variant = {}): string {
  const manifest = parse(readFileSync(join(EXAMPLES, "quickstart.yaml"), "utf8")) as Manifest;
  const { spec } = manifest;
  const apart = { labelSelector: spec.selector, matchLabelKeys: ["pod-template-hash"], topologyKey: "kubernetes.io/hostname" };
  spec.template.spec.affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [apart] } };
  for (const container of spec.template.spec.containers) {
    container.image = image;
    if (smallDisk) container.volumeMounts = [{ name: "data", mountPath: "/data" }];
  }
  if (durable) spec.template.metadata.annotations[ANNOTATION.durability] = "replicated";
  if (smallDisk) spec.template.spec.volumes = [{ name: "data", emptyDir: { medium: "Memory", sizeLimit: "48Mi" } }];
  return stringify(manifest);
}

export class Ours implements Stack {
  readonly bed: Bed;
  readonly namespace: string;
  readonly cluster: string;
  readonly group: Group;
  readonly selector = "redis-ha.io/has-redis=true";
  readonly workload: string = "deployment/cache";
  readonly masterMayReturn = false;
  #where: Where | undefined;

  constructor(bed: Bed, namespace: string, cluster: string, client: ClientPod) {
    this.bed = bed;
    this.namespace = namespace;
    this.cluster = cluster;
    this.group = new Group(bed, client, namespace);
  }

  /** Applies the manifest; `whole` tells when it is there. */
  async deploy(image: string, variant: Variant = {}): Promise<void> {
    await this.bed.kubectl(["-n", this.namespace, "apply", "-f", "-"], { input: manifestOf(image, variant) });
  }

  get seats(): Seat[] {
    if (this.#where === undefined) throw new Error("the group was not whole yet");
    return [{ subject: "ours", client: this.group.client, where: this.#where }];
  }

  async master(): Promise<MasterSeen> {
    const { name, pod } = await this.group.master();
    return { pod: name, node: pod.spec?.nodeName ?? "" };
  }

  async whole(): Promise<void> {
    await this.group.whole(EXPECTED, { lists: false });
    this.#where ??= await this.group.throughService();
  }

  async handover(): Promise<void> {
    await this.bed.kubectl([
      "-n",
      this.namespace,
      "annotate",
      "--overwrite",
      "service",
      "cache-master",
      `${REQUEST.handover}=any`,
    ]);
  }

  /** The highest configuration epoch that a sentinel tells. */
  async epoch(): Promise<number> {
    const { client, namespace, cluster } = this.group;
    const epochs = await Promise.all(
      (await this.group.pods()).map(async ({ status }) => {
        const sentinel = await this.group.at(status?.podIP ?? "", SENTINEL_PORT);
        const reply = await client.command(sentinel, "SENTINEL", "MASTER", masterName(namespace, cluster));
        const list = Array.isArray(reply) ? reply.map(String) : [];
        return Number(list[list.indexOf("config-epoch") + 1]);
      }),
    );
    return Math.max(...epochs);
  }

  /** The story is kept when it has ended, half a second and more after the clients are served. */
  async steps(since: string): Promise<Timeline | undefined> {
    return await waitUntil("the timeline", STEPS_MS, async () => {
      const all = await timelines(this.bed, this.namespace, this.group.cluster);
      const found = all.find(({ startedAt }) => startedAt >= since);
      if (found === undefined) throw new Error("it is not kept yet");
      return found;
    }).catch(() => undefined);
  }
}
