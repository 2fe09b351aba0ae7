/** Watches what must never happen, all through a run: who takes writes, and how many addresses the master Service has. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { execPath } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { PATH } from "../../kube/paths.ts";
import type { EndpointSlice } from "../../kube/types.ts";
import { masterServiceName, REDIS_PORT } from "../../model/names.ts";
import { containerPid } from "../../test/cluster/cluster.ts";
import type { Ours } from "../failover/ours.ts";
import { type Change, overlapMs, type Span, spansOf } from "./spans.ts";

const PODS_EVERY_MS = 300;
const ENDPOINTS_EVERY_MS = 50;

export interface Seen {
  /** how long two or more redis took writes at the same time, ms */
  readonly twoWritableMs: number;
  /** the most addresses that the master Service had at once */
  readonly addresses: number;
  /** for people: who took writes when, ms since the start */
  readonly writable: Readonly<Record<string, readonly Span[]>>;
}

export class Witness {
  readonly #ours: Ours;
  readonly #probeArgs: readonly string[];
  readonly #startedAt = Date.now();
  readonly #probers = new Map<string, ChildProcess>();
  readonly #changes = new Map<string, Change[]>();
  readonly #loops: Promise<void>[];
  #addresses = 0;
  #over = false;

  /** @param probeMs how often each redis is asked; default: as often as it is worth */
  constructor(ours: Ours, probeMs?: number) {
    this.#ours = ours;
    this.#probeArgs = probeMs === undefined ? [] : [String(probeMs)];
    this.#loops = [
      this.#again(PODS_EVERY_MS, async () => await this.#probeNewPods()),
      this.#again(ENDPOINTS_EVERY_MS, async () => await this.#countAddresses()),
    ];
  }

  async stop(): Promise<Seen> {
    this.#over = true;
    await Promise.all(this.#loops);
    for (const prober of this.#probers.values()) prober.kill("SIGKILL");
    const now = Date.now();
    const spans = Object.fromEntries([...this.#changes].map(([pod, changes]) => [pod, spansOf(changes, now)]));
    const relative = Object.fromEntries(
      Object.entries(spans).map(([pod, all]) => [
        pod,
        all.map(({ from, to }) => ({ from: from - this.#startedAt, to: to - this.#startedAt })),
      ]),
    );
    return { twoWritableMs: overlapMs(Object.values(spans)), addresses: this.#addresses, writable: relative };
  }

  /** The API server may be away: then nothing is learned, and nothing is lost. */
  async #again(everyMs: number, look: () => Promise<void>): Promise<void> {
    while (!this.#over) {
      await look().catch(() => undefined);
      await sleep(everyMs);
    }
  }

  async #probeNewPods(): Promise<void> {
    const { bed, namespace, cluster, group } = this.#ours;
    const password = await group.password();
    for (const pod of await group.pods({ terminating: true })) {
      const uid = pod.metadata?.uid ?? "";
      const name = pod.metadata?.name ?? "";
      const ip = pod.status?.podIP;
      if (ip === undefined || this.#probers.has(`${uid} ${ip}`)) continue;
      const pid = await containerPid(namespace, name, "redis", { name: cluster }).catch(() => undefined);
      if (pid === undefined || !("cluster" in bed.where)) continue;
      this.#probers.set(`${uid} ${ip}`, this.#probe(name, pid, ip, password));
    }
  }

  #probe(name: string, pid: number, ip: string, password: string): ChildProcess {
    const script = join(import.meta.dirname, "prober.ts");
    const command = [`--net=/proc/${pid}/ns/net`, execPath, "--disable-warning=ExperimentalWarning", script];
    const child = spawn("nsenter", [...command, ip, String(REDIS_PORT), password, ...this.#probeArgs], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    const changes = this.#changes.get(name) ?? [];
    this.#changes.set(name, changes);
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        const [at, writable] = line.split(" ");
        changes.push({ at: Number(at), writable: writable === "1" });
      }
    });
    child.on("error", () => undefined);
    return child;
  }

  async #countAddresses(): Promise<void> {
    const { bed, namespace, group } = this.#ours;
    const { items } = await bed.kube.list<EndpointSlice>(PATH.endpointSlices(namespace), {
      query: { labelSelector: `kubernetes.io/service-name=${masterServiceName(group.cluster)}` },
    });
    const addresses = new Set(items.flatMap(({ endpoints }) => (endpoints ?? []).flatMap((one) => one.addresses)));
    this.#addresses = Math.max(this.#addresses, addresses.size);
  }
}
