/**
 * Master Services whose group has ended half-way on its way back: the annotation was removed, the last injected pod is gone, and it could not give the Service
 * back before (killed, or no handlers ran). The Service then leads to nobody, while the workload's plain pods run beside it. It is given back here.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Kube } from "../../kube/client.ts";
import { isConflict, isNotFound } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { Deployment, ObjectRef, Pod, Service } from "../../kube/types.ts";
import { LABEL, PREFIX } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import type { Logger } from "../../report/log.ts";
import type { Reporter } from "../../report/report.ts";
import { givenBack, originalOf } from "../act/adopt.ts";
import { CLAIMED } from "../policies/route.ts";
import { serviceFact } from "./service-fact.ts";

export interface AbandonedOptions {
  readonly kube: Kube;
  readonly reporter: Reporter;
  readonly log: Logger;
  readonly leading: () => boolean;
  /** the Services with our label, and the injected pods, as the watches know them */
  readonly services: () => Iterable<Service>;
  readonly pods: () => Iterable<Pod>;
  /** default 5 s */
  readonly everyMs?: number;
  /** default 10 s: how long nobody of the group must have been there */
  readonly patienceMs?: number;
}

const EVERY_MS = 5000;
const PATIENCE_MS = 10_000;

type Labels = Readonly<Record<string, string>>;

/** The Deployment that a pod of this name comes from; undefined: from something else. */
export function deploymentOf(pod: string): string | undefined {
  return /^(.+)-[a-z0-9]{5,10}-[a-z0-9]{5}$/.exec(pod)?.[1];
}

/**
 * What the Service shall select again, or undefined where it is not to be touched. Pure.
 * Only when the very workload whose pod was master last asks for redis-ha no more, neither itself nor in its template: one that is scaled to nothing, or whose
 * pods wait for the webhook, keeps its record, by which a recovery chooses.
 */
export function selectorBack(service: Service, deployment: Deployment): Labels | undefined {
  const { metadata, spec } = deployment;
  const keys = [metadata, spec?.template?.metadata].flatMap((one) => [
    ...Object.keys(one?.annotations ?? {}),
    ...Object.keys(one?.labels ?? {}),
  ]);
  if (keys.some((key) => key.startsWith(PREFIX))) return undefined;
  const selector = originalOf(service).selector ?? spec?.selector.matchLabels ?? {};
  // An empty selector would mean endpoints that are made by hand.
  return Object.keys(selector).length === 0 ? undefined : selector;
}

/** One that runs and was never ours: what the Service led to before there was a group. */
export function isPlain({ metadata, status }: Pod): boolean {
  const keys = [...Object.keys(metadata?.annotations ?? {}), ...Object.keys(metadata?.labels ?? {})];
  return status?.phase === "Running" && metadata?.deletionTimestamp === undefined && !keys.some((key) => key.startsWith(PREFIX));
}

/** Looks from time to time while this replica leads; resolves when it has stopped. */
export function watchAbandoned(options: AbandonedOptions): { stop(): Promise<void> } {
  const { kube, log, leading } = options;
  const stopping = new AbortController();
  /** by uid of the Service: since when nobody of its group is there */
  const aloneSince = new Map<string, number>();

  /** Services that lead to a pod of ours, of groups that have no pod at all. */
  function alone(): Service[] {
    const keyOf = ({ metadata }: Service | Pod): string => `${metadata?.namespace}/${metadata?.labels?.[LABEL.cluster]}`;
    // An evicted pod's object may stay for ever, and comes to nothing.
    const living = [...options.pods()].filter(({ status }) => status?.phase !== "Failed" && status?.phase !== "Succeeded");
    const peopled = new Set(living.map(keyOf));
    return [...options.services()].filter((service) => {
      const fact = serviceFact(service);
      const leads = fact?.record !== undefined && fact.record.reason !== CLAIMED && fact.selector[LABEL.instance] !== undefined;
      return leads && !peopled.has(keyOf(service));
    });
  }

  async function round(): Promise<void> {
    const now = performance.now();
    const found = alone();
    const uids = new Set(found.map(uidOf));
    for (const uid of aloneSince.keys()) if (!uids.has(uid)) aloneSince.delete(uid);
    for (const service of found) {
      const since = aloneSince.get(uidOf(service)) ?? now;
      aloneSince.set(uidOf(service), since);
      if (now - since < (options.patienceMs ?? PATIENCE_MS) || stopping.signal.aborted || !leading()) continue;
      await giveBack(service).catch((error: unknown) => {
        if (!isConflict(error) && !isNotFound(error))
          log.warn({ err: error, service: service.metadata?.name }, "a Service without a group could not be given back");
      });
    }
  }

  async function giveBack(service: Service): Promise<void> {
    const { namespace = "", name = "", labels = {} } = service.metadata ?? {};
    const record = serviceFact(service)?.record;
    const owner = record === undefined ? undefined : deploymentOf(record.pod);
    if (record === undefined || owner === undefined) return;
    const deployment = await kube.get<Deployment>(PATH.deployments(namespace, owner));
    const selector = selectorBack(service, deployment);
    if (selector === undefined) return;
    const labelSelector = Object.entries(selector)
      .map(([key, value]) => `${key}=${value}`)
      .join(",");
    const { items } = await kube.list<Pod>(PATH.pods(namespace), { query: { labelSelector } });
    const plain = items.filter(isPlain);
    if (plain.length === 0) return;
    // Conditional on what was read: whoever comes back meanwhile is routed to, and this is refused.
    await kube.mergePatch(PATH.services(namespace, name), givenBack(service, originalOf(service), selector));
    const pods = plain.map(({ metadata }) => metadata?.name).join(", ");
    options.reporter.report({
      reason: REASON.ServiceGivenBack,
      message:
        `the group ${labels[LABEL.cluster]} has no pod any more, and the Deployment ${owner} runs without redis-ha: ` +
        `the Service ${name} selects ${labelSelector} again and leads to ${pods}. What only ${record.pod}, the last master, had is not there.`,
      namespace,
      ...(labels[LABEL.cluster] === undefined ? {} : { cluster: labels[LABEL.cluster] }),
      involved: [refOf("v1", "Service", service), refOf("apps/v1", "Deployment", deployment)],
    });
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      if (leading()) await round();
      else aloneSince.clear();
      await sleep(options.everyMs ?? EVERY_MS, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
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

const uidOf = ({ metadata }: Service): string => metadata?.uid ?? "";

function refOf(apiVersion: string, kind: string, { metadata }: Service | Deployment): ObjectRef {
  const { namespace, name = "", uid } = metadata ?? {};
  return {
    apiVersion,
    kind,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
  };
}
