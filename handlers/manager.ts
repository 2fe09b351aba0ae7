/** Finds the groups from their pods and keeps one loop for each. The watches only wake; the loops read what they need from the watches' copies. */
import type { Kube } from "../kube/client.ts";
import { electLeader, type Leadership } from "../kube/lease.ts";
import { PATH } from "../kube/paths.ts";
import type { EndpointSlice, Node, ObjectRef, Pod, PodDisruptionBudget, Service } from "../kube/types.ts";
import { watchObjects } from "../kube/watch.ts";
import type { PodFact } from "../model/facts.ts";
import { LABEL, LEASE, MARK, masterServiceName } from "../model/names.ts";
import { REASON } from "../model/reasons.ts";
import type { GroupSettings } from "../model/settings.ts";
import { unpackTimelines } from "../model/timeline.ts";
import type { Logger } from "../report/log.ts";
import type { Metrics } from "../report/metrics.ts";
import type { Reporter } from "../report/report.ts";
import { Group, type GroupSource, type GroupView } from "./group.ts";
import { watchAbandoned } from "./watch/abandoned.ts";
import { budgetFacts } from "./watch/budget-facts.ts";
import { askSlices, EndpointsView } from "./watch/endpoints.ts";
import { podFact } from "./watch/pod-fact.ts";
import { watchProxies } from "./watch/proxies.ts";
import { serviceFact } from "./watch/service-fact.ts";
import { watchUninjected } from "./watch/uninjected.ts";
import { WorkloadRefs } from "./watch/workloads.ts";

export interface HandlersOptions {
  readonly kube: Kube;
  readonly reporter: Reporter;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** our own: where the Lease lives */
  readonly namespace: string;
  readonly identity: string;
  /** see LeaderOptions */
  readonly succeeds?: (holder: string) => boolean;
  /** only this namespace's groups, with nothing but what a Role can grant there: nodes are not watched; default all */
  readonly watchNamespace?: string;
  readonly onReady?: () => void;
}

export interface Handlers {
  /** the groups as this replica sees them, for the admin port */
  groups(): GroupView[];
  /** whether this replica holds the Lease */
  leads(): boolean;
  /** identity of the Lease's holder, as this replica last saw it; undefined: nobody, or not known */
  leader(): string | undefined;
  stop(): Promise<void>;
}

/** A group without pods is kept for so long, ms: a Deployment that is replaced, or scaled to nothing and back. */
const EMPTY_MS = 600_000;

interface Entry {
  readonly group: Group;
  readonly endpoints: EndpointsView;
  emptySince: number | undefined;
}

/** Starts watching and resolves when the first lists are there. */
export async function startHandlers(options: HandlersOptions): Promise<Handlers> {
  const { kube, log, metrics, reporter } = options;
  const entries = new Map<string, Entry>();
  const inNamespace = options.watchNamespace;
  let leadership: Leadership | undefined;
  const leading = (): boolean => leadership?.held ?? false;
  const wakeAll = (): void => {
    for (const { group } of entries.values()) group.wake();
  };
  const keyOfLabels = (object: { metadata?: { namespace?: string; labels?: Record<string, string> } }): string | undefined => {
    const cluster = object.metadata?.labels?.[LABEL.cluster];
    return cluster === undefined ? undefined : `${object.metadata?.namespace ?? ""}/${cluster}`;
  };
  const wakeOwner = (object: Parameters<typeof keyOfLabels>[0]): Entry | undefined => {
    const key = keyOfLabels(object);
    const entry = key === undefined ? undefined : entries.get(key);
    entry?.group.wake();
    return entry;
  };

  const restarted = (kind: string) => (cause: string) => metrics.watchRestarts.inc({ kind, cause });
  const common = { kube, log, labelSelector: LABEL.cluster };
  const pods = watchObjects<Pod>({
    ...common,
    path: PATH.pods(inNamespace),
    labelSelector: LABEL.instance,
    onEvent: (_, pod) => seen(pod),
    onSync: (all) => all.forEach(seen),
    onRestart: restarted("Pod"),
  });
  const services = watchObjects<Service>({
    ...common,
    path: PATH.services(inNamespace),
    onEvent: (_, service) => wakeOwner(service),
    onRestart: restarted("Service"),
  });
  const slices = watchObjects<EndpointSlice>({
    ...common,
    path: PATH.endpointSlices(inNamespace),
    onEvent: (_, slice) => wakeOwner(slice)?.endpoints.changed(),
    onRestart: restarted("EndpointSlice"),
  });
  const proxies = watchProxies({
    kube,
    log,
    ...(inNamespace === undefined ? {} : { namespace: inNamespace }),
    onRestart: restarted("ProxyEndpointSlice"),
  });
  // All of them: one of somebody else that selects our pods changes what we do. Nothing waits for the first list.
  const budgets = watchObjects<PodDisruptionBudget>({
    kube,
    log,
    path: PATH.podDisruptionBudgets(inNamespace),
    onRestart: restarted("PodDisruptionBudget"),
  });
  const nodes =
    inNamespace === undefined
      ? watchObjects<Node>({ kube, log, path: PATH.nodes(), onEvent: wakeAll, onRestart: restarted("Node") })
      : undefined;
  const workloads = new WorkloadRefs(kube);

  const nodeGoing = (name: string): boolean => {
    const known = nodes?.items();
    if (known === undefined || known.size === 0) return false;
    const node = known.get(`/${name}`);
    return node === undefined || node.spec?.unschedulable === true;
  };

  function seen(pod: Pod): void {
    const namespace = pod.metadata?.namespace;
    const cluster = pod.metadata?.labels?.[LABEL.cluster];
    if (namespace === undefined || cluster === undefined) return;
    const key = `${namespace}/${cluster}`;
    const known = entries.get(key);
    known?.group.wake();
    if (known !== undefined) return;
    const endpoints = new EndpointsView(() =>
      [...slices.items().values()].filter(
        (slice) =>
          slice.metadata?.namespace === namespace &&
          slice.metadata.labels?.["kubernetes.io/service-name"] === source.masterServiceName(),
      ),
    );
    const source = sourceOf(namespace, cluster, endpoints);
    entries.set(key, {
      group: new Group({
        kube,
        group: { namespace, cluster },
        source,
        reporter,
        metrics,
        log,
        handlersNamespace: options.namespace,
      }),
      endpoints,
      emptySince: undefined,
    });
  }

  function sourceOf(namespace: string, cluster: string, endpoints: EndpointsView): GroupSource {
    const own = (): Pod[] =>
      [...pods.items().values()].filter(
        (pod) => pod.metadata?.namespace === namespace && pod.metadata.labels?.[LABEL.cluster] === cluster,
      );
    const facts = (): PodFact[] => own().flatMap((pod) => podFact(pod, nodeGoing) ?? []);
    let lastSettings: GroupSettings | undefined;
    let askingEndpoints = false;
    const settings = (): GroupSettings => {
      const all = facts();
      const redis = all.filter(({ hasRedis, terminating }) => hasRedis && !terminating);
      const newest = [...(redis.length > 0 ? redis : all)].sort(
        (a, b) => b.createdAt - a.createdAt || (a.name < b.name ? -1 : 1),
      )[0];
      lastSettings = newest?.settings ?? lastSettings;
      if (lastSettings === undefined) throw new Error(`group ${namespace}/${cluster} has no pod`);
      return lastSettings;
    };
    const master = (): string => settings().masterService ?? masterServiceName(cluster);
    const service = (name: string): Service | undefined => services.items().get(`${namespace}/${name}`);
    return {
      pods: facts,
      settings,
      leading,
      endpoints,
      budgets: () => {
        if (budgets.lastEventAt === 0) return [];
        const inSpace = [...budgets.items().values()].filter(({ metadata }) => metadata?.namespace === namespace);
        return (["redis", "sentinels"] as const).map((part) => budgetFacts(part, cluster, own(), inSpace));
      },
      proxiesFreeInMs: () => proxies.freeInMs(),
      masterServiceName: master,
      // Asked for by people, also of a group that has no pod any more.
      timelines: () =>
        unpackTimelines(lastSettings === undefined ? undefined : service(master())?.metadata?.annotations?.[MARK.timelines]),
      masterService: (name) => {
        const found = service(name);
        return found === undefined ? undefined : serviceFact(found);
      },
      learnService: (answer) => services.learn(answer),
      askEndpoints: () => {
        if (askingEndpoints) return;
        askingEndpoints = true;
        void askSlices(kube, namespace, master()).then((found) => {
          askingEndpoints = false;
          for (const slice of found) slices.learn(slice);
        });
      },
      serviceExists: (name) => service(name) !== undefined,
      outsiders: () => workloads.outsiders(own(), service(master())),
      involved: (): ObjectRef[] => {
        const found = service(master());
        const { name, uid } = found?.metadata ?? {};
        const ref =
          name === undefined
            ? []
            : [{ apiVersion: "v1", kind: "Service", namespace, name, ...(uid === undefined ? {} : { uid }) }];
        return [...ref, ...workloads.of(own())];
      },
    };
  }

  await Promise.all([pods.synced, services.synced, slices.synced, nodes?.synced]);
  const electing = electLeader({
    kube,
    log,
    namespace: options.namespace,
    name: LEASE,
    identity: options.identity,
    ...(options.succeeds === undefined ? {} : { succeeds: options.succeeds }),
    onGained: () => {
      metrics.leaseHeld.set(1);
      log.info({ reason: REASON.LeaseTaken }, "this replica leads");
      wakeAll();
    },
    onLost: () => {
      metrics.leaseHeld.set(0);
      log.warn({ reason: REASON.LeaseLost }, "this replica no longer leads");
      wakeAll();
    },
  });
  leadership = electing;
  const scope = inNamespace === undefined ? {} : { namespace: inNamespace };
  const uninjected = watchUninjected({ kube, reporter, metrics, log, workloads, leading, ...scope });
  const abandoned = watchAbandoned({
    kube,
    reporter,
    log,
    leading,
    services: () => services.items().values(),
    pods: () => pods.items().values(),
  });
  options.onReady?.();

  const housekeeping = setInterval(() => {
    const states = new Map<string, number>();
    for (const [key, entry] of entries) {
      const { facts, plan } = entry.group.view();
      const empty = facts !== undefined && facts.members.length === 0;
      entry.emptySince = empty ? (entry.emptySince ?? Date.now()) : undefined;
      if (entry.emptySince !== undefined && Date.now() - entry.emptySince > EMPTY_MS) {
        entry.group.stop();
        entries.delete(key);
        continue;
      }
      if (plan !== undefined) states.set(plan.state, (states.get(plan.state) ?? 0) + 1);
    }
    metrics.groups.reset();
    for (const [state, count] of states) metrics.groups.set({ state }, count);
  }, 5000);

  return {
    groups: () => [...entries.values()].map(({ group }) => group.view()),
    leads: leading,
    leader: () => electing.holder,
    stop: async () => {
      clearInterval(housekeeping);
      for (const { group } of entries.values()) group.stop();
      for (const watch of [pods, services, slices, proxies, budgets, nodes]) watch?.stop();
      await Promise.all([uninjected.stop(), abandoned.stop()]);
      await electing.stop();
    },
  };
}
