/** The three groups of the soak, all named `cache`, each in a namespace of its own: a StatefulSet with volumes, one Deployment, three Deployments. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { ANNOTATION, LABEL } from "../../model/names.ts";
import { EXAMPLES } from "../../test/e2e/lib/bed.ts";
import { ClientPod } from "../../test/e2e/lib/client-pod.ts";
import { makeNamespace } from "../../test/e2e/lib/namespace.ts";
import { waitUntil } from "../../test/e2e/lib/wait.ts";
import { Ours } from "../failover/ours.ts";
import type { Site } from "../failover/site.ts";

export interface Kind {
  readonly name: string;
  readonly example: string;
  /** what is restarted for a roll-out, as kubectl names it */
  readonly workload: string;
}

export const KINDS: readonly Kind[] = [
  { name: "StatefulSet with volumes", example: "statefulset.yaml", workload: "statefulset/cache" },
  { name: "one Deployment", example: "quickstart.yaml", workload: "deployment/cache" },
  { name: "three Deployments", example: "three-deployments.yaml", workload: "deployment/cache-replica" },
];

interface Manifest {
  kind: string;
  spec: {
    selector: { matchLabels: Record<string, string> };
    strategy?: object;
    template?: {
      metadata: { annotations: Record<string, string> };
      spec: { affinity?: object; containers: { image: string }[] };
    };
  };
}

const CLUSTER = "cache";

/** The example with one redis per node, under the name `cache`. */
export function manifestsOf({ example }: Kind, image: string): string {
  const text = readFileSync(join(EXAMPLES, example), "utf8").replaceAll(/\bstore\b/g, CLUSTER);
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  for (const { kind, spec } of documents) {
    if (kind === "Service" || spec.template === undefined) continue;
    const { metadata, spec: pod } = spec.template;
    for (const container of pod.containers) container.image = image;
    // One node never holds two copies, or two sentinels: a node is one failure. So no pod comes up beside the one that it replaces.
    const labelSelector = metadata.annotations[ANNOTATION.role] === "sentinel" ? spec.selector : REDIS;
    const term = { labelSelector, topologyKey: "kubernetes.io/hostname" };
    pod.affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } };
    if (kind === "Deployment") spec.strategy = { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } };
  }
  // As JSON: in Kubernetes' YAML an unquoted yes is a boolean.
  return JSON.stringify({ apiVersion: "v1", kind: "List", items: documents });
}

/** Every redis of the group, whichever workload it is of. */
const REDIS = { matchLabels: { [LABEL.cluster]: CLUSTER, [LABEL.redis]: "true" } };

export class SoakGroup extends Ours {
  readonly kind: Kind;
  override readonly workload: string;

  private constructor(site: Site, namespace: string, client: ClientPod, kind: Kind) {
    super(site.bed, namespace, site.cluster, client);
    this.kind = kind;
    this.workload = kind.workload;
  }

  /** Applies it in a new namespace, with a client of its own; `whole` tells when it is there. */
  static async make(site: Site, kind: Kind): Promise<SoakGroup> {
    const namespace = await makeNamespace(site.bed);
    const client = await ClientPod.start(site.bed, namespace, "client", site.clientNode);
    const group = new SoakGroup(site, namespace, client, kind);
    await group.deploy(site.image);
    return group;
  }

  override async deploy(image: string): Promise<void> {
    const input = manifestsOf(this.kind, image);
    // The webhook fails closed, and on a busy machine its pods may lose their readiness for a moment.
    await waitUntil(`the objects of ${this.kind.name}`, 60_000, async () => {
      await this.bed.kubectl(["-n", this.namespace, "apply", "-f", "-"], { input });
    });
  }
}
