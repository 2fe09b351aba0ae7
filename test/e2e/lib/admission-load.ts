/**
 * Pods that are created again and again as a dry run, so that nothing but admission happens: each must come back injected.
 * As cheap as can be, for itself and for the API server, since all share the machine: kept connections, one text, no check of field names, and an answer in the API
 * server's own encoding, which is searched and not parsed.
 */
import { Agent, request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { PATH } from "../../../kube/paths.ts";
import { LABEL } from "../../../model/names.ts";
import { accessOf, type Bed } from "./bed.ts";

export interface AdmissionResult {
  readonly sent: number;
  readonly failures: readonly string[];
  readonly seconds: number;
  /** through the API server and back */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** share of one core that this generator took itself */
  readonly ownCpu: number;
  /** how often a request was due and was left out, because so many were already waiting for an answer, or because this process stood still */
  readonly leftOut: number;
}

export interface AdmissionLoad {
  stop(): Promise<AdmissionResult>;
}

/** More waiting than this is no steady rate any more. */
const MOST_FLYING = 60;
const ANSWER_MS = 15_000;
/** No catching up beyond this after a moment in which this process stood still: a burst would measure us. */
const CATCH_UP_MS = 200;
/** Texts stand in it as they are. */
const PROTOBUF = "application/vnd.kubernetes.protobuf";

export const plainPod = (name: string, annotations: Readonly<Record<string, string>> = {}): object => ({
  metadata: { name, annotations },
  spec: {
    terminationGracePeriodSeconds: 1,
    automountServiceAccountToken: false,
    containers: [{ name: "redis", image: "docker.io/library/redis:7", imagePullPolicy: "IfNotPresent" }],
  },
});

export async function startAdmissions(bed: Bed, namespace: string, perSecond: number): Promise<AdmissionLoad> {
  const post = await poster(bed, namespace);
  const failures: string[] = [];
  const latencies: number[] = [];
  const flying = new Set<Promise<void>>();
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  let sent = 0;
  let leftOut = 0;
  let stopping = false;

  async function send(): Promise<void> {
    sent += 1;
    const began = performance.now();
    const problem = await post();
    if (problem !== undefined) failures.push(`${Math.round(began - startedAt)} ms: ${problem}`);
    latencies.push(performance.now() - began);
  }

  async function run(): Promise<void> {
    const everyMs = 1000 / perSecond;
    let due = performance.now();
    while (!stopping) {
      const now = performance.now();
      for (; now - due > CATCH_UP_MS; due += everyMs) leftOut += 1;
      for (; due <= now && flying.size < MOST_FLYING; due += everyMs) {
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
      const seconds = (performance.now() - startedAt) / 1000;
      const { user, system } = process.cpuUsage(cpuBefore);
      const ownCpu = (user + system) / 1e6 / seconds;
      return { sent, failures, seconds, p50Ms: at(0.5), p99Ms: at(0.99), ownCpu, leftOut };
    },
  };
}

/** One admission: undefined if the pod came back injected, else what happened. */
async function poster(bed: Bed, namespace: string): Promise<() => Promise<string | undefined>> {
  const access = accessOf(bed.where);
  const { tls, headers } = await access.load();
  const url = new URL(`${access.server}${PATH.pods(namespace)}?dryRun=All&fieldValidation=Ignore`);
  const pod = { ...plainPod("load", { "redis-ha.io/cluster": "load" }), apiVersion: "v1", kind: "Pod" };
  const body = Buffer.from(JSON.stringify(pod));
  const agent = new Agent({ keepAlive: true, maxFreeSockets: MOST_FLYING });
  const options = {
    ...tls,
    agent,
    method: "POST",
    timeout: ANSWER_MS,
    headers: { ...headers, accept: PROTOBUF, "content-type": "application/json", "content-length": body.length },
  };
  const wanted = Buffer.from(LABEL.instance);
  return () =>
    new Promise((resolve) => {
      const outgoing = request(url, options, (incoming) => {
        const parts: Buffer[] = [];
        incoming.on("data", (part: Buffer) => parts.push(part));
        incoming.on("error", (error) => resolve(error.message));
        incoming.on("end", () => {
          const answer = Buffer.concat(parts);
          const good = incoming.statusCode === 201 && answer.includes(wanted);
          resolve(good ? undefined : `${incoming.statusCode} ${answer.toString().slice(0, 300)}`);
        });
      });
      outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer in ${ANSWER_MS} ms`)));
      outgoing.on("error", (error) => resolve(error.message));
      outgoing.end(body);
    });
}
