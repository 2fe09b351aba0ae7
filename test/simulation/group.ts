/** One simulated group with everything around it, and the questions that faults and invariants ask of it. */

import { serviceFact } from "../../handlers/watch/service-fact.ts";
import type { Service } from "../../kube/types.ts";
import type { MasterRecord } from "../../model/facts.ts";
import { ANNOTATION, LABEL, MARK, masterServiceName, SECRET_KEY, secretName } from "../../model/names.ts";
import { maxLagDefaultS } from "../../model/settings.ts";
import { Writer } from "./clients.ts";
import { ApiServer } from "./cluster/api.ts";
import { EndpointController, NAMESPACE, NodeProxy } from "./cluster/controllers.ts";
import { PASSWORD, type PodWorld, type SimPod } from "./cluster/pod.ts";
import { CLUSTER, type Part } from "./cluster/pod-object.ts";
import { Workload } from "./cluster/workload.ts";
import { HandlerReplica } from "./handlers.ts";
import { isPlanned, type Plan, type Shape } from "./plan.ts";
import type { RedisServer } from "./servers/redis.ts";
import type { SentinelServer } from "./servers/sentinel.ts";
import { ckquorum } from "./servers/sentinel-commands.ts";
import { Ledger } from "./verdict.ts";
import { Network } from "./world/network.ts";
import type { Host, World } from "./world/world.ts";

export const SERVICE = masterServiceName(CLUSTER);

export class SimGroup {
  readonly world: World;
  readonly network: Network;
  readonly api: ApiServer;
  readonly nodes: Host[];
  readonly control: Host = { name: "control-plane", clockOffset: 0 };
  readonly cordoned = new Set<Host>();
  readonly off = new Set<Host>();
  /** those with redis first */
  readonly workloads: readonly Workload[];
  readonly handlers: HandlerReplica[];
  readonly writers: Writer[];
  readonly proxies: NodeProxy[];
  readonly ledger: Ledger;
  /** how many sentinels there are to be */
  readonly sentinels: number;
  readonly servers: RedisServer[] = [];
  /** called for every server that starts; for faults that wait for a command */
  onServer: (server: RedisServer) => void = () => undefined;
  /** what laws.ts looks at */
  onVote: (sentinel: string, candidate: string) => void = () => undefined;
  onEnding: (server: RedisServer) => void = () => undefined;

  constructor(world: World, { shape, faults }: Plan) {
    this.world = world;
    this.ledger = new Ledger(() => world.now, shape.replicas >= 3 ? maxLagDefaultS(shape.downAfterMs) * 1000 : undefined);
    this.network = new Network(world);
    this.api = new ApiServer(world, this.control);
    const count = Math.max(4, shape.replicas + 1);
    this.nodes = Array.from({ length: count }, (_, at) => ({ name: `node-${at}`, clockOffset: 0 }));
    const outside: Host = { name: "client-node", clockOffset: 0 };
    const handlerHosts = shape.shared
      ? this.nodes
      : [
          { name: "handlers-0", clockOffset: 0 },
          { name: "handlers-1", clockOffset: 0 },
        ];
    for (const node of this.nodes) this.api.put("nodes", { metadata: { name: node.name }, spec: {} });
    const [replicaSet, deployment] = ["cache-rs", "cache"];
    const owner = { apiVersion: "apps/v1", kind: "Deployment", name: deployment, uid: "uid-deployment", controller: true };
    this.api.put("replicasets", { metadata: { name: replicaSet, namespace: NAMESPACE, ownerReferences: [owner] } });
    this.api.put("deployments", {
      metadata: { name: deployment, namespace: NAMESPACE },
      spec: { selector: { matchLabels: { app: "cache" } } },
    });
    const secret = Buffer.from(PASSWORD).toString("base64");
    this.api.put("secrets", { metadata: { name: secretName(CLUSTER), namespace: NAMESPACE }, data: { [SECRET_KEY]: secret } });
    new EndpointController(this.api);
    this.proxies = [...this.nodes, outside].map(
      (host) =>
        new NodeProxy(
          world,
          this.api,
          host,
          () => !this.network.blocked(host, this.control) && !this.network.blocked(this.control, host),
        ),
    );
    const planned = faults.every(isPlanned);
    const orderly = new Set<RedisServer>();
    let addresses = 0;
    const left: string[] = [];
    const of: PodWorld = {
      world,
      network: this.network,
      api: this.api,
      settings: {
        persistence: shape.persistence,
        volume: shape.volume,
        downAfterMs: shape.downAfterMs,
        graceS: 30,
        annotations: {
          [ANNOTATION.downAfter]: `${shape.downAfterMs}ms`,
          [ANNOTATION.failoverTimeout]: `${shape.failoverTimeoutMs}ms`,
          [ANNOTATION.recoveryWait]: "15s",
        },
      },
      leaveAddress: (ip) => left.push(ip),
      newAddress: () => {
        const former = shape.reuse === true ? left.shift() : undefined;
        if (former !== undefined) return former;
        addresses += 1;
        return `10.0.${Math.floor(addresses / 250)}.${(addresses % 250) + 1}`;
      },
      started: (server) => {
        this.servers.push(server);
        this.ledger.add(server);
        server.proc.onKill(() => this.ledger.trouble(server, orderly.has(server) && planned ? "ended" : "died"));
        this.onServer(server);
      },
      voted: (sentinel, candidate) => this.onVote(sentinel, candidate),
      ending: (server) => {
        orderly.add(server);
        this.onEnding(server);
      },
    };
    const usable = (host: Host): boolean => !this.cordoned.has(host) && !this.off.has(host);
    const { stateful } = shape;
    this.workloads = layout(shape).map(
      (one) => new Workload(of, { ...one, stateful: stateful && one.part.redis, hosts: this.nodes, usable }),
    );
    this.sentinels = shape.apart ? SENTINELS : shape.replicas;
    this.handlers = Array.from(
      { length: shape.handlers },
      (_, at) => new HandlerReplica(world, this.network, this.api, handlerHosts[at] ?? this.control, `handler-${"AB"[at]}`),
    );
    const places = [outside, this.nodes[0] ?? outside];
    this.writers = places.map(
      (host, at) =>
        new Writer(
          world,
          this.network,
          this.proxies.find((proxy) => proxy.host === host) as NodeProxy,
          host,
          `client-${at + 1}`,
          SERVICE,
        ),
    );
  }

  /** Those with redis. */
  get pods(): SimPod[] {
    return this.all.filter(({ part }) => part.redis);
  }

  get sentinelPods(): SimPod[] {
    return this.all.filter(({ part }) => part.sentinel);
  }

  get all(): SimPod[] {
    return this.workloads.flatMap(({ living }) => living);
  }

  /** Redis processes that run. */
  get running(): RedisServer[] {
    return this.servers.filter(({ proc }) => proc.alive);
  }

  /** The pod whose redis is the master by what most sentinels say; else by what a redis says; else the first. */
  get master(): SimPod | undefined {
    const votes = new Map<string, number>();
    for (const { sentinel } of this.sentinelPods) {
      const ip = sentinel?.master?.failover.currentAddress.ip;
      if (ip !== undefined) votes.set(ip, (votes.get(ip) ?? 0) + 1);
    }
    const ip = [...votes].sort((a, b) => b[1] - a[1])[0]?.[0];
    return (
      this.pods.find(({ site }) => ip !== undefined && site?.ip === ip) ?? this.pods.find(({ redis }) => redis?.isMaster === true)
    );
  }

  /** Who holds the Lease, by the API server. */
  get holder(): string | undefined {
    const holder = this.api.get("leases", "redis-ha", "redis-ha-handlers")?.spec?.holderIdentity;
    return typeof holder === "string" && holder !== "" ? holder : undefined;
  }

  get leader(): HandlerReplica | undefined {
    const { holder } = this;
    return this.handlers.find(({ name, alive }) => alive && holder?.startsWith(name) === true);
  }

  get halted(): string | undefined {
    return this.api.get("services", NAMESPACE, SERVICE)?.metadata.annotations?.[MARK.halted];
  }

  /** The master that the Service remembers. */
  get record(): MasterRecord | undefined {
    const service = this.api.get("services", NAMESPACE, SERVICE);
    return service === undefined ? undefined : serviceFact(service as unknown as Service)?.record;
  }

  /** INV3: what is not yet as it should be; undefined when all is well. */
  unwell(): string | undefined {
    const { pods, all } = this;
    const wanted = this.workloads.reduce((sum, { replicas }) => sum + replicas, 0);
    if (all.length !== wanted) return `${all.length} pods instead of ${wanted}`;
    const dead = all.find(
      ({ part, redis, sentinel }) =>
        (part.redis && (redis?.proc.alive !== true || redis.loading)) || (part.sentinel && sentinel?.proc.alive !== true),
    );
    if (dead !== undefined) return `${dead.name} is not up`;
    const masters = this.running.filter(({ isMaster }) => isMaster);
    const [master] = masters;
    if (master === undefined || masters.length > 1)
      return `${masters.length} masters: ${masters.map(({ name }) => name).join(", ")}`;
    const { ip } = master.site;
    for (const { redis } of pods) {
      if (redis === undefined || redis === master) continue;
      if (redis.following.master?.ip !== ip) return `${redis.name} follows ${redis.following.master?.ip}, not ${ip}`;
      if (!redis.following.up) return `the link of ${redis.name} is not up`;
    }
    const paused = this.running.find((server) => server.paused);
    if (paused !== undefined) return `writes are paused on ${paused.name}`;
    if (!master.followers.enough) return `${master.name} refuses writes: min-replicas-to-write`;
    for (const { sentinel } of this.sentinelPods) {
      const why = sentinel === undefined ? "there is none" : sentinelUnwell(sentinel, ip);
      if (why !== undefined) return `sentinel ${sentinel?.name ?? "?"}: ${why}`;
    }
    const service = this.api.get("services", NAMESPACE, SERVICE);
    const instance = pods.find(({ redis }) => redis === master)?.instance;
    const selected = (service?.spec?.selector as Record<string, string> | undefined)?.[LABEL.instance];
    if (instance === undefined || selected !== instance) return `the Service selects ${selected}, not ${instance}`;
    const astray = this.proxies.find((proxy) => proxy.target(SERVICE) !== ip);
    if (astray !== undefined) return `the proxy of ${astray.host.name} leads to ${astray.target(SERVICE)}`;
    const failing = this.writers.find(({ trouble }) => trouble !== "");
    if (failing !== undefined) return `${failing.proc.name} can't write: ${failing.trouble}`;
    const unmarked = pods.find(
      ({ object, redis }) => object?.metadata.labels?.[LABEL.role] !== (redis === master ? "master" : "replica"),
    );
    if (unmarked !== undefined) return `the label of ${unmarked.name} is wrong`;
    if (this.halted !== undefined) return `still marked as halted: ${this.halted}`;
    return undefined;
  }
}

const SENTINELS = 3;

/** One workload with a sentinel beside each redis, or the three of the origin: a first master, replicas, sentinels. */
function layout({ replicas, apart }: Shape): { name: string; replicas: number; part: Part }[] {
  if (!apart) return [{ name: CLUSTER, replicas, part: { redis: true, sentinel: true, role: undefined } }];
  return [
    { name: "first", replicas: 1, part: { redis: true, sentinel: false, role: "master" } },
    { name: "replica", replicas: replicas - 1, part: { redis: true, sentinel: false, role: "replica" } },
    { name: "sentinel", replicas: SENTINELS, part: { redis: false, sentinel: true, role: "sentinel" } },
  ];
}

function sentinelUnwell(sentinel: SentinelServer, ip: string): string | undefined {
  const { master } = sentinel;
  if (master === undefined) return "watches nothing";
  if (master.ip !== ip) return `names ${master.ip}, not ${ip}`;
  if (master.failover.inProgress) return "a failover is under way";
  if (master.sDown) return "says that the master is down";
  const quorum = ckquorum(master);
  return quorum instanceof Error ? quorum.message : undefined;
}
