/** The controllers of Kubernetes that matter here: the one that makes EndpointSlices, the proxies of the nodes, and the workload that keeps its pods. */
import type { Host, World } from "../world/world.ts";
import type { ApiServer, Json, Thing } from "./api.ts";

export const NAMESPACE = "default";

type Labels = Record<string, string>;

const ready = (pod: Thing): boolean =>
  ((pod.status?.conditions as Json[] | undefined) ?? []).some(({ type, status }) => type === "Ready" && status === "True");

/** Keeps an EndpointSlice for each Service, a moment after its pods or its selector changed. */
export class EndpointController {
  readonly #api: ApiServer;
  #due = false;

  constructor(api: ApiServer) {
    this.#api = api;
    const soon = (): void => this.#soon();
    for (const plural of ["pods", "services"]) {
      api.watch({ plural, matches: () => true, tell: soon, broken: () => undefined });
    }
  }

  #soon(): void {
    if (this.#due) return;
    this.#due = true;
    const { world } = this.#api;
    world.schedule(3 + world.random.next() * 15, () => {
      this.#due = false;
      this.#work();
    });
  }

  #work(): void {
    const api = this.#api;
    // Controllers work through the API server: while it is away nothing moves.
    if (api.state !== "well") {
      this.#due = true;
      api.world.schedule(500, () => {
        this.#due = false;
        this.#soon();
      });
      return;
    }
    const pods = api.list("pods");
    for (const service of api.list("services")) {
      const wanted = Object.entries((service.spec?.selector as Labels | undefined) ?? {});
      const publish = service.spec?.publishNotReadyAddresses === true;
      const endpoints = pods
        .filter(({ metadata, status }) => {
          const labels = metadata.labels ?? {};
          return (
            wanted.length > 0 &&
            wanted.every(([key, value]) => labels[key] === value) &&
            status?.podIP !== undefined &&
            status.phase === "Running"
          );
        })
        .map((pod) => ({
          addresses: [String(pod.status?.podIP)],
          targetRef: { kind: "Pod", uid: pod.metadata.uid },
          conditions: { ready: publish || (ready(pod) && pod.metadata.deletionTimestamp === undefined) },
        }));
      const name = `${service.metadata.name}-slice`;
      const known = api.get("endpointslices", NAMESPACE, name);
      if (known !== undefined && JSON.stringify(known.endpoints) === JSON.stringify(endpoints)) continue;
      const headless = service.spec?.clusterIP === "None" ? { "service.kubernetes.io/headless": "" } : {};
      const labels = { ...service.metadata.labels, "kubernetes.io/service-name": service.metadata.name, ...headless };
      api.put("endpointslices", { metadata: { name, namespace: NAMESPACE, labels }, endpoints });
    }
  }
}

/** kube-proxy takes up one change a second at most, for all Services together (minSyncPeriod). */
const SYNC_MS = 1000;

/** Where new connections to a Service go from one node. */
export class NodeProxy {
  readonly host: Host;
  readonly #world: World;
  readonly #api: ApiServer;
  readonly #reachable: () => boolean;
  #targets = new Map<string, string[]>();
  #syncedAt = Number.NEGATIVE_INFINITY;
  #due = false;

  constructor(world: World, api: ApiServer, host: Host, reachable: () => boolean) {
    this.host = host;
    this.#world = world;
    this.#api = api;
    this.#reachable = reachable;
    const seen = (): void => {
      world.schedule(1 + world.random.next() * 10, () => this.#changed());
    };
    api.watch({ plural: "endpointslices", matches: () => true, tell: seen, broken: () => undefined });
  }

  #changed(): void {
    if (this.#due) return;
    this.#due = true;
    this.#world.schedule(Math.max(5, this.#syncedAt + SYNC_MS - this.#world.now), () => this.#sync());
  }

  #sync(): void {
    this.#due = false;
    if (!this.#reachable() || this.#api.state === "hangs") {
      // Told again when its watch is back.
      this.#due = true;
      this.#world.schedule(1000, () => this.#sync());
      return;
    }
    this.#syncedAt = this.#world.now;
    this.#targets = new Map(
      this.#api
        .list("endpointslices")
        .map(({ metadata, endpoints }) => [
          metadata.labels?.["kubernetes.io/service-name"] ?? "",
          (endpoints as { addresses: string[]; conditions: { ready: boolean } }[])
            .filter(({ conditions }) => conditions.ready)
            .flatMap(({ addresses }) => addresses),
        ]),
    );
  }

  /** Undefined: refused, the Service has no endpoint. */
  target(service: string): string | undefined {
    const all = this.#targets.get(service) ?? [];
    return all.length === 0 ? undefined : all[this.#world.random.integer(0, all.length - 1)];
  }
}
