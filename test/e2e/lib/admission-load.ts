/** Pods that are created again and again as a dry run, so that nothing but admission happens: each must come back injected. */
import { setTimeout as sleep } from "node:timers/promises";
import { PATH } from "../../../kube/paths.ts";
import type { Pod } from "../../../kube/types.ts";
import { LABEL } from "../../../model/names.ts";
import type { Bed } from "./bed.ts";
import { messageOf } from "./wait.ts";

export interface AdmissionResult {
  readonly sent: number;
  readonly failures: readonly string[];
  readonly seconds: number;
  /** through the API server and back */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface AdmissionLoad {
  stop(): Promise<AdmissionResult>;
}

const MOST_FLYING = 40;

export const plainPod = (name: string, annotations: Readonly<Record<string, string>> = {}): object => ({
  metadata: { name, annotations },
  spec: {
    terminationGracePeriodSeconds: 1,
    automountServiceAccountToken: false,
    containers: [{ name: "redis", image: "docker.io/library/redis:7", imagePullPolicy: "IfNotPresent" }],
  },
});

export function startAdmissions(bed: Bed, namespace: string, perSecond: number): AdmissionLoad {
  const failures: string[] = [];
  const latencies: number[] = [];
  const flying = new Set<Promise<void>>();
  const startedAt = performance.now();
  let sent = 0;
  let stopping = false;

  async function send(): Promise<void> {
    sent += 1;
    const began = performance.now();
    try {
      const asked = plainPod(`load-${sent}`, { "redis-ha.io/cluster": "load" });
      const pod = await bed.kube.create<Pod>(PATH.pods(namespace), asked, { query: { dryRun: "All" } });
      if (pod.metadata?.labels?.[LABEL.instance] === undefined)
        failures.push(`${Math.round(began - startedAt)} ms: not injected`);
    } catch (error) {
      failures.push(`${Math.round(began - startedAt)} ms: ${messageOf(error).slice(0, 300)}`);
    }
    latencies.push(performance.now() - began);
  }

  async function run(): Promise<void> {
    let due = performance.now();
    while (!stopping) {
      const now = performance.now();
      // No catching up after a moment in which this process stood still.
      if (now - due > 200) due = now;
      for (; due <= now && flying.size < MOST_FLYING; due += 1000 / perSecond) {
        const one = send();
        flying.add(one);
        void one.finally(() => flying.delete(one));
      }
      await sleep(4);
    }
  }
  const running = run();

  return {
    stop: async () => {
      stopping = true;
      await running;
      await Promise.all(flying);
      const sorted = latencies.toSorted((a, b) => a - b);
      const at = (share: number): number => Math.round(sorted[Math.floor(sorted.length * share)] ?? 0);
      return { sent, failures, seconds: (performance.now() - startedAt) / 1000, p50Ms: at(0.5), p99Ms: at(0.99) };
    },
  };
}
