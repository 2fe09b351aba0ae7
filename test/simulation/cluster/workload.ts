/** The workload that keeps the group's pods: a Deployment, or a StatefulSet with volumes. */
import type { Disk } from "../servers/data.ts";
import { EMPTY } from "../servers/data.ts";
import type { Host } from "../world/world.ts";
import { type PodWorld, SimPod } from "./pod.ts";
import type { Part } from "./pod-object.ts";

export interface WorkloadOptions {
  /** its own name, which its pods' names begin with */
  readonly name: string;
  readonly part: Part;
  readonly replicas: number;
  /** a StatefulSet: stable names, and volumes that come back with them */
  readonly stateful: boolean;
  readonly hosts: readonly Host[];
  /** nodes that take new pods now */
  usable(host: Host): boolean;
}

export class Workload {
  readonly #of: PodWorld;
  readonly #options: WorkloadOptions;
  readonly part: Part;
  readonly pods: SimPod[] = [];
  readonly #volumes = new Map<string, Disk>();
  #made = 0;
  replicas: number;
  revision = "rev-1";

  constructor(of: PodWorld, options: WorkloadOptions) {
    this.#of = of;
    this.#options = options;
    this.replicas = options.replicas;
    this.part = options.part;
    this.#keep();
  }

  get living(): SimPod[] {
    return this.pods.filter(({ gone }) => !gone);
  }

  #keep(): void {
    const { world, api } = this.#of;
    if (api.state === "well") this.#fill();
    world.schedule(150 + world.random.next() * 100, () => this.#keep());
  }

  #fill(): void {
    const { stateful } = this.#options;
    const { living } = this;
    if (stateful) {
      for (let number = 0; number < this.replicas; number += 1) {
        const name = `${this.#options.name}-${number}`;
        if (!living.some((pod) => pod.name === name)) this.#make(name);
      }
      return;
    }
    const staying = living.filter(({ ending }) => !ending).length;
    for (let missing = this.replicas - staying; missing > 0; missing -= 1) {
      this.#made += 1;
      this.#make(`${this.#options.name}-${"abcdefghijklmnopqrstuvwxyz"[this.#made % 26]}${this.#made}`);
    }
  }

  #make(name: string): void {
    const { settings } = this.#of;
    const host = this.#place();
    if (host === undefined) return;
    const { part } = this;
    const claim = settings.volume && this.#options.stateful && part.redis ? `data-${name}` : undefined;
    let disk: Disk = { kind: settings.persistence, head: EMPTY, replid: "", modifiedAt: 0 };
    if (claim !== undefined) {
      disk = this.#volumes.get(claim) ?? disk;
      this.#volumes.set(claim, disk);
    }
    this.pods.push(new SimPod(this.#of, { name, host, disk, part, revision: this.revision, claim }));
  }

  /** The usable node with the fewest of our pods. */
  #place(): Host | undefined {
    const load = (host: Host): number => this.living.filter((pod) => pod.host === host && !pod.ending).length;
    return [...this.#options.hosts].filter((host) => this.#options.usable(host)).sort((a, b) => load(a) - load(b))[0];
  }
}
