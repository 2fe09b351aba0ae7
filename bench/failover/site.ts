/** The cluster of the benchmark: redis-ha installed, the last node kept for the clients, a namespace per stack. */
import { heal, nodeNames } from "../../test/cluster/cluster.ts";
import { type Bed, connectBed, installFromSources } from "../../test/e2e/lib/bed.ts";
import { ClientPod } from "../../test/e2e/lib/client-pod.ts";
import { diagnose } from "../../test/e2e/lib/diagnose.ts";
import { messageOf, say, waitUntil } from "../../test/e2e/lib/wait.ts";
import { Ours, type Variant } from "./ours.ts";
import { Peers } from "./peers.ts";

export class Site {
  readonly bed: Bed;
  readonly cluster: string;
  readonly image: string;
  /** where the clients and the haproxy are, and no member of a group: a fault of a node never is the client's */
  readonly clientNode: string;
  /** the other nodes */
  readonly groupNodes: readonly string[];
  #namespaces: string[] = [];
  #ours: Ours | undefined;

  private constructor(bed: Bed, cluster: string, image: string, nodes: readonly string[]) {
    this.bed = bed;
    this.cluster = cluster;
    this.image = image;
    this.clientNode = nodes.at(-1) ?? "";
    this.groupNodes = nodes.slice(0, -1);
  }

  static async open(cluster: string, image: string): Promise<Site> {
    const bed = connectBed({ cluster });
    await installFromSources(bed, cluster);
    const nodes = nodeNames({ name: cluster });
    for (const node of nodes) {
      await heal(node, { name: cluster });
      await bed.kubectl(["uncordon", node]);
    }
    const site = new Site(bed, cluster, image, nodes);
    await bed.kubectl(["cordon", site.clientNode]);
    return site;
  }

  async ours(variant: Variant = {}): Promise<Ours> {
    const namespace = await this.#namespace("ours");
    const client = await ClientPod.start(this.bed, namespace, "client", this.clientNode);
    const ours = new Ours(this.bed, namespace, this.cluster, client);
    await ours.deploy(this.image, variant);
    this.#ours = ours;
    return ours;
  }

  async peers(): Promise<Peers> {
    const namespace = await this.#namespace("peers");
    const [sentinel, haproxy] = await Promise.all(
      ["asks-sentinels", "behind-haproxy"].map(async (name) => await ClientPod.start(this.bed, namespace, name, this.clientNode)),
    );
    if (sentinel === undefined || haproxy === undefined) throw new Error("no clients");
    const peers = new Peers(this.bed, namespace, this.cluster, { sentinel, haproxy });
    await peers.deploy(this.image, this.clientNode);
    return peers;
  }

  /** Says what a person needs to understand a failed run. */
  async explain(): Promise<void> {
    const groups = this.#ours === undefined ? [] : [this.#ours.group];
    for (const namespace of this.#namespaces) {
      say(await diagnose(this.bed, namespace, groups).catch(messageOf));
    }
  }

  /** Removes all that was deployed. */
  async close(): Promise<void> {
    const namespaces = this.#namespaces;
    this.#namespaces = [];
    this.#ours = undefined;
    for (const namespace of namespaces) await this.#remove(namespace);
  }

  async #namespace(what: string): Promise<string> {
    const namespace = `bench-${what}-${Date.now().toString(36)}`;
    await this.bed.kube.create("/api/v1/namespaces", { metadata: { name: namespace } });
    this.#namespaces.push(namespace);
    await waitUntil("the service account", 10_000, async () => {
      await this.bed.kube.get(`/api/v1/namespaces/${namespace}/serviceaccounts/default`);
    });
    return namespace;
  }

  /** By force, and at once: the next stack should have the machine for itself. */
  async #remove(namespace: string): Promise<void> {
    const quick = { allowFailure: true };
    await this.bed.kubectl(["-n", namespace, "delete", "deployments,statefulsets", "--all", "--cascade=orphan"], quick);
    await this.bed.kubectl(["-n", namespace, "delete", "replicasets,pods", "--all", "--force", "--grace-period=0"], quick);
    await this.bed.kube.remove(`/api/v1/namespaces/${namespace}`);
  }
}
