/** The processes of the handlers, seen from outside: their memory and their open connections, by /proc. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { PATH } from "../../kube/paths.ts";
import type { Pod } from "../../kube/types.ts";
import { SERVER_LABELS, SYSTEM_NAMESPACE } from "../../model/names.ts";
import { containerPid } from "../../test/cluster/cluster.ts";
import type { Bed } from "../../test/e2e/lib/bed.ts";
import type { Sample } from "./flat.ts";

const CONTAINER = "redis-ha";
const EVERY_MS = 5000;

const selector = {
  labelSelector: Object.entries(SERVER_LABELS)
    .map(([key, value]) => `${key}=${value}`)
    .join(","),
};

export async function handlerPods(bed: Bed): Promise<Pod[]> {
  return (await bed.kube.list<Pod>(PATH.pods(SYSTEM_NAMESPACE), { query: selector })).items;
}

/** One process' life. */
export interface Life {
  readonly pod: string;
  readonly pid: number;
  readonly samples: Sample[];
}

/** Reads every few seconds until it is stopped. */
export class HandlersWatch {
  readonly lives = new Map<number, Life>();
  readonly #bed: Bed;
  readonly #cluster: string;
  readonly #loop: Promise<void>;
  #over = false;
  /** all groups are whole and nothing is wrong: connections are counted only then */
  calm = true;

  constructor(bed: Bed, cluster: string) {
    this.#bed = bed;
    this.#cluster = cluster;
    this.#loop = this.#run();
  }

  async stop(): Promise<readonly Life[]> {
    this.#over = true;
    await this.#loop;
    return [...this.lives.values()];
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      // The API server may be stopped, a process may end while it is read: the next look finds them.
      await this.#look().catch(() => undefined);
      await sleep(EVERY_MS);
    }
  }

  async #look(): Promise<void> {
    for (const { metadata } of await handlerPods(this.#bed)) {
      const pod = metadata?.name ?? "";
      const pid = await containerPid(SYSTEM_NAMESPACE, pod, CONTAINER, { name: this.#cluster }).catch(() => undefined);
      if (pid === undefined) continue;
      const life = this.lives.get(pid) ?? { pod, pid, samples: [] };
      this.lives.set(pid, life);
      life.samples.push({ at: Date.now(), rssMiB: residentMiB(pid), sockets: sockets(pid), calm: this.calm });
    }
  }
}

function residentMiB(pid: number): number {
  const [, kb = "0"] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Math.round(Number(kb) / 102.4) / 10;
}

function sockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`).startsWith("socket:");
    } catch {
      return false; // it was closed just now
    }
  }).length;
}
