/**
 * Pods that ask for redis-ha and run without it: made while the webhook was not installed, in a namespace that opted out, or annotated when they ran already.
 * They look like members and are none, so somebody has to say it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Kube } from "../../kube/client.ts";
import { PATH } from "../../kube/paths.ts";
import type { KubeList, ObjectRef, Pod } from "../../kube/types.ts";
import { ANNOTATION, LABEL } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import type { Logger } from "../../report/log.ts";
import type { Metrics } from "../../report/metrics.ts";
import type { Reporter } from "../../report/report.ts";

export interface UninjectedOptions {
  readonly kube: Kube;
  readonly reporter: Reporter;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** only this namespace; default all */
  readonly namespace?: string;
  readonly leading: () => boolean;
  /** the workloads that the pods come from, as far as they are known by now */
  readonly workloads: { of(pods: readonly Pod[]): ObjectRef[] };
  /** default 30 s */
  readonly everyMs?: number;
}

/** Annotations cannot be selected, so all pods are read; only their metadata, and in pages, since a big answer would hold up a failover while it is parsed. */
const METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const PAGE = 250;
const EVERY_MS = 30_000;
/** An Event lives for an hour; those who look later shall find one too. */
const AGAIN_MS = 1_800_000;
/** For the workloads to be looked up. */
const LOOKUP_MS = 1000;
/** At most so many Events a round: a whole cluster may have been restarted without us. */
const MOST_EVENTS = 50;

/** Those of the pods that ask to be in a group and never passed the webhook. Pure. */
export function findUninjected<P extends Pick<Pod, "metadata">>(pods: readonly P[]): P[] {
  return pods.filter(({ metadata }) => {
    const { annotations = {}, labels = {} } = metadata ?? {};
    const asks = annotations[ANNOTATION.cluster] !== undefined || labels[LABEL.cluster] !== undefined;
    // Everything that passed the webhook has an instance of its own.
    return asks && labels[LABEL.instance] === undefined && metadata?.deletionTimestamp === undefined;
  });
}

/** What is said of such a pod. */
export function uninjectedMessage(pod: Pick<Pod, "metadata">): string {
  const { name = "", namespace = "", annotations = {}, labels = {}, ownerReferences = [] } = pod.metadata ?? {};
  const cluster = annotations[ANNOTATION.cluster] ?? labels[LABEL.cluster] ?? "";
  const again = ownerReferences.some(({ controller }) => controller === true)
    ? `delete it, so that its controller makes it anew: kubectl -n ${namespace} delete pod ${name}`
    : "delete it and create it anew";
  return [
    `The pod ${name} asks for the group "${cluster}" but did not pass the webhook of redis-ha: it is no member, and nothing of it is protected.`,
    `To put it right ${again}.`,
    `If it comes back the same, see that the MutatingWebhookConfiguration of redis-ha exists`,
    `and that the namespace has no label ${LABEL.injection}=disabled.`,
  ].join(" ");
}

/** Looks from time to time while this replica leads; resolves when it has stopped. */
export function watchUninjected(options: UninjectedOptions): { stop(): Promise<void> } {
  const { kube, metrics, log, leading } = options;
  const everyMs = options.everyMs ?? EVERY_MS;
  const stopping = new AbortController();
  const pause = (ms: number): Promise<unknown> =>
    sleep(ms, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
  /** by uid: when it was last reported */
  const reported = new Map<string, number>();

  /** Returns how long the reading took, ms. */
  async function round(): Promise<number> {
    const startedAt = performance.now();
    const found = await listUninjected(kube, options.namespace, stopping.signal);
    metrics.uninjectedPods.set(found.length);
    const now = performance.now();
    const tookMs = now - startedAt;
    const uids = new Set(found.map(uidOf));
    for (const uid of reported.keys()) if (!uids.has(uid)) reported.delete(uid);
    const due = found
      .filter((pod) => now - (reported.get(uidOf(pod)) ?? Number.NEGATIVE_INFINITY) > AGAIN_MS)
      .slice(0, MOST_EVENTS);
    if (due.length === 0) return tookMs;
    options.workloads.of(due);
    await pause(LOOKUP_MS);
    for (const pod of due) {
      if (stopping.signal.aborted || !leading()) break;
      reported.set(uidOf(pod), now);
      report(options, pod);
    }
    return tookMs;
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (!leading()) {
        metrics.uninjectedPods.set(0);
        await pause(Math.min(everyMs, 2000));
        continue;
      }
      const tookMs = await round().catch((error: unknown) => {
        log.warn({ err: error }, "could not look for pods without injection");
        return 0;
      });
      // In a very large cluster less often: it must stay a small part of what we do.
      await pause(Math.max(everyMs, 20 * tookMs));
    }
  }

  const running = run();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

async function listUninjected(kube: Kube, namespace: string | undefined, signal: AbortSignal): Promise<Pod[]> {
  const found: Pod[] = [];
  let next: string | undefined;
  do {
    const page: KubeList<Pod> = await kube.list<Pod>(PATH.pods(namespace), {
      query: { limit: PAGE, continue: next, fieldSelector: "status.phase!=Succeeded,status.phase!=Failed" },
      accept: METADATA,
      signal,
    });
    found.push(...findUninjected(page.items));
    next = page.metadata?.continue || undefined;
  } while (next !== undefined);
  return found;
}

function report({ reporter, workloads }: UninjectedOptions, pod: Pod): void {
  const { name = "", namespace = "", uid } = pod.metadata ?? {};
  const ref: ObjectRef = { apiVersion: "v1", kind: "Pod", namespace, name, ...(uid === undefined ? {} : { uid }) };
  reporter.report({
    reason: REASON.NotInjected,
    message: uninjectedMessage(pod),
    namespace,
    involved: [ref, ...workloads.of([pod])],
  });
}

const uidOf = (pod: Pick<Pod, "metadata">): string => pod.metadata?.uid ?? "";
