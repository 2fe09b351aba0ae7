/** One pod of the group with its containers, as the kubelet of its node keeps it: started, restarted, ended in an orderly way or not. */
import { IN_SYNC_GATE, MARK, REDIS_PORT } from "../../../model/names.ts";
import { type Disk, EMPTY } from "../servers/data.ts";
import { RedisServer } from "../servers/redis.ts";
import { type SentinelFile, SentinelServer } from "../servers/sentinel.ts";
import type { Network, Site } from "../world/network.ts";
import { type Host, Proc, type World } from "../world/world.ts";
import type { ApiServer, Json, Thing } from "./api.ts";
import { chooseMaster, makeSentinelFile, type Pod, Watcher } from "./boot.ts";
import { NAMESPACE } from "./controllers.ts";
import { CLUSTER, type Part, type PodSettings, podObject } from "./pod-object.ts";
import { preStop } from "./prestop.ts";

export const GROUP = `${NAMESPACE}.${CLUSTER}`;
export const PASSWORD = "the-password-of-the-group";

/** What all pods of a run have in common. */
export interface PodWorld {
  readonly world: World;
  readonly network: Network;
  readonly api: ApiServer;
  readonly settings: PodSettings;
  newAddress(): string;
  leaveAddress(ip: string): void;
  /** every redis process that ever ran, for the verdict about data */
  started(server: RedisServer, pod: SimPod): void;
  /** a sentinel gave its vote to a candidate */
  voted(sentinel: string, candidate: string): void;
  /** a pod that was deleted in an orderly way lets its redis end */
  ending(server: RedisServer): void;
}

const identity = (of: string): string => Buffer.from(of.padEnd(20, "-")).toString("hex").slice(0, 40);

export class SimPod {
  readonly #of: PodWorld;
  readonly name: string;
  readonly uid: string;
  readonly host: Host;
  readonly disk: Disk;
  readonly instance: string;
  readonly part: Part;
  site: Site | undefined;
  redis: RedisServer | undefined;
  sentinel: SentinelServer | undefined;
  #sentinelFile: SentinelFile | undefined;
  #restarts = 0;
  #ending = false;
  #gone = false;
  #powerless = false;
  #status: "running" | "terminated" = "terminated";
  #procs: Proc[] = [];

  constructor(
    of: PodWorld,
    made: { name: string; host: Host; disk: Disk; part: Part; revision: string; claim: string | undefined },
  ) {
    const { name, host, disk, part, revision, claim } = made;
    this.#of = of;
    this.name = name;
    this.host = host;
    this.disk = disk;
    this.part = part;
    this.uid = `uid-${name}-${of.world.random.hex(4)}`;
    this.instance = of.world.random.hex(8);
    this.#create(revision, claim);
  }

  get gone(): boolean {
    return this.#gone;
  }

  get ending(): boolean {
    return this.#ending;
  }

  get object(): Thing | undefined {
    const found = this.#of.api.get("pods", NAMESPACE, this.name);
    return found?.metadata.uid === this.uid ? found : undefined;
  }

  #create(revision: string, claim: string | undefined): void {
    const { api, world, settings } = this.#of;
    const { name, uid, instance, host, part } = this;
    api.put("pods", podObject({ name, uid, instance, node: host.name, revision, claim, part, settings }));
    world.schedule(200 + world.random.next() * 1800, () => this.#start());
  }

  /** Writes the kubelet's part of the status, as soon as it reaches the API server. */
  #report(change: (status: Json) => Json): void {
    const { world, network, api } = this.#of;
    world.schedule(10 + world.random.next() * 200, () => {
      if (this.#gone) return;
      if (network.blocked(this.host, api.host) || api.state !== "well") {
        world.schedule(500, () => this.#report(change));
        return;
      }
      const { object } = this;
      if (object !== undefined) api.put("pods", { ...object, status: change(object.status ?? {}) });
    });
  }

  #reportState(): void {
    const running = this.#status === "running";
    const [ip, restarts] = [this.site?.ip, this.#restarts];
    this.#report((status) => {
      const others = ((status.conditions as Json[] | undefined) ?? []).filter(({ type }) => type !== "Ready");
      const synced = others.some(({ type, status: value }) => type === IN_SYNC_GATE && value === "True");
      return {
        ...status,
        phase: "Running",
        ...(ip === undefined ? {} : { podIP: ip }),
        conditions: [...others, { type: "Ready", status: running && synced ? "True" : "False" }],
        containerStatuses: [
          {
            name: "redis",
            restartCount: restarts,
            state: running ? { running: {} } : { terminated: { exitCode: 137 } },
            lastState: restarts > 0 ? { terminated: { exitCode: 137 } } : {},
          },
        ],
      };
    });
  }

  /** The sandbox with its address, then both containers. */
  #start(): void {
    // Without power nothing starts; `powerOn` does it then. A pod that was to start just before has two such calls.
    if (this.#gone || this.#ending || this.#powerless || this.site !== undefined) return;
    const { network, api, world } = this.#of;
    // A kubelet without the API server hears of no new pod.
    if (network.blocked(this.host, api.host) || network.blocked(api.host, this.host) || api.state !== "well") {
      world.schedule(500, () => this.#start());
      return;
    }
    const site: Site = { ip: this.#of.newAddress(), host: this.host, listeners: new Map() };
    this.site = site;
    network.sites.set(site.ip, site);
    if (this.part.sentinel) this.#startSentinel();
    if (this.part.redis) this.#startRedis();
  }

  #script(what: string): { proc: Proc; pod: Pod } {
    const { world, network, api, settings } = this.#of;
    const proc = new Proc(world, `${this.name}/${what}`, this.host, true);
    this.#procs.push(proc);
    const ip = this.site?.ip ?? "";
    const pod: Pod = {
      network,
      proc,
      password: PASSWORD,
      group: GROUP,
      ip,
      downAfterMs: settings.downAfterMs,
      sentinels: () => {
        const slice = api.get("endpointslices", NAMESPACE, `${CLUSTER}-sentinel-slice`);
        const all = ((slice?.endpoints as { addresses: string[] }[] | undefined) ?? []).flatMap(({ addresses }) => addresses);
        return [ip, ...all.filter((address) => address !== ip)];
      },
      log: (text) => world.tell(`${this.name}/boot`, text),
    };
    return { proc, pod };
  }

  #startRedis(): void {
    const { site } = this;
    if (site === undefined) return;
    const { world, network } = this.#of;
    const { proc: script, pod } = this.#script("redis-boot");
    const report = `redis-ha uid=${this.uid} boot=${Math.floor(script.wallMs)} rdb=${this.disk.kind === "rdb" ? Math.floor(this.disk.modifiedAt) : 0}:1 aof=${this.disk.kind === "aof" ? Math.floor(this.disk.modifiedAt) : 0}:1 stale=yes aof-on=${this.disk.kind === "aof" ? "yes" : "no"}`;
    const start = async (): Promise<void> => {
      const replicaof = await chooseMaster(pod);
      const proc = new Proc(world, this.name, this.host);
      proc.onKill(() => script.kill());
      const parameters = {
        "replica-serve-stale-data": "no",
        "syslog-ident": report,
        "min-replicas-to-write": "0",
        "min-replicas-max-lag": "10",
        "replica-priority": "0",
      };
      const server = new RedisServer({
        name: this.name,
        proc,
        network,
        site,
        port: REDIS_PORT,
        password: PASSWORD,
        disk: this.disk,
        parameters,
        replicaof,
      });
      this.redis = server;
      this.#status = "running";
      this.#of.started(server, this);
      world.tell(this.name, `starts at ${site.ip} with ${server.head.keys} keys, as a replica of ${replicaof.ip}`);
      this.#reportState();
      await new Watcher(pod).run();
    };
    script.after(50 + world.random.next() * 100, () => void start());
  }

  #startSentinel(): void {
    const { site } = this;
    if (site === undefined) return;
    const { world, network } = this.#of;
    const { proc: script, pod } = this.#script("sentinel-boot");
    const run = (file: SentinelFile): void => {
      const proc = new Proc(world, `${this.name}/sentinel`, this.host);
      this.sentinel = new SentinelServer({
        name: `${this.name}/sentinel`,
        group: GROUP,
        proc,
        network,
        site,
        password: PASSWORD,
        file,
      });
      this.sentinel.onShutdown = () => this.killSentinel();
      this.sentinel.onVote = (candidate) => this.#of.voted(proc.name, candidate);
      world.tell(
        this.sentinel.name,
        file.master === undefined ? "starts without a master" : `starts; the master is ${file.master.ip}`,
      );
      if (this.part.redis) return;
      this.#status = "running";
      this.#reportState();
    };
    const known = this.#renamed(this.#sentinelFile);
    script.after(50 + world.random.next() * 100, () => {
      if (known !== undefined) return run(known);
      const slot = (): string | undefined => this.object?.metadata.annotations?.[MARK.sentinelSlot];
      void makeSentinelFile(pod, slot, identity, this.uid).then(run);
    });
  }

  /** A sentinel whose pod was given another slot takes that identity; what it knew and how it voted stays. */
  #renamed(file: SentinelFile | undefined): SentinelFile | undefined {
    const slot = this.object?.metadata.annotations?.[MARK.sentinelSlot];
    if (file === undefined || slot === undefined || identity(slot) === file.myId) return file;
    const { master } = file;
    const sentinels = master?.sentinels.filter(({ runId }) => runId !== identity(slot)) ?? [];
    return { ...file, myId: identity(slot), master: master === undefined ? undefined : { ...master, sentinels } };
  }

  /** The container's process ended; the kubelet starts it again, without its data where that was in the container. */
  killRedis(): void {
    const { redis } = this;
    if (redis === undefined || !redis.proc.alive) return;
    redis.proc.kill();
    this.#restartRedis();
  }

  #restartRedis(): void {
    if (this.#ending || this.#gone) return;
    const { settings, world } = this.#of;
    if (!settings.volume) Object.assign(this.disk, { head: EMPTY, replid: "", modifiedAt: 0 });
    this.#restarts += 1;
    this.#status = "terminated";
    this.#reportState();
    const { site } = this;
    world.schedule(this.#backoff(), () => {
      if (this.site === site && !this.#ending && !this.#gone) this.#startRedis();
    });
  }

  /** At once the first time, then with CrashLoopBackOff, ms */
  #backoff(): number {
    const { random } = this.#of.world;
    return this.#restarts <= 1 ? 100 + random.next() * 900 : Math.min(20_000, 10_000 * 2 ** (this.#restarts - 2));
  }

  killSentinel(): void {
    const { sentinel, site } = this;
    if (sentinel === undefined || !sentinel.proc.alive) return;
    this.#sentinelFile = sentinel.file;
    sentinel.proc.kill();
    const { world } = this.#of;
    world.schedule(100 + world.random.next() * 900, () => {
      if (this.site === site && !this.#ending && !this.#gone) this.#startSentinel();
    });
  }

  /** Its node lost its power. */
  powerOff(): void {
    this.#powerless = true;
    this.#stop(true);
  }

  /** The node is back: a new sandbox with another address, the volume as it was on the disk. */
  powerOn(): void {
    this.#powerless = false;
    if (this.#gone || this.#ending) return;
    const { settings, world } = this.#of;
    if (!settings.volume) Object.assign(this.disk, { head: EMPTY, replid: "", modifiedAt: 0 });
    this.#restarts += 1;
    world.schedule(500 + world.random.next() * 3000, () => this.#start());
  }

  #stop(silent: boolean): void {
    const { network } = this.#of;
    if (this.sentinel?.proc.alive === true) this.#sentinelFile = this.sentinel.file;
    for (const proc of this.#procs.splice(0)) proc.kill(silent);
    this.redis?.proc.kill(silent);
    this.sentinel?.proc.kill(silent);
    if (this.site !== undefined) {
      network.sites.delete(this.site.ip);
      this.#of.leaveAddress(this.site.ip);
    }
    this.site = undefined;
    this.#status = "terminated";
  }

  freeze(what: "redis" | "sentinel"): void {
    (what === "redis" ? this.redis : this.sentinel)?.proc.freeze();
  }

  thaw(): void {
    this.redis?.proc.thaw();
    this.sentinel?.proc.thaw();
  }

  /** kubectl delete pod: preStop, SIGTERM, then the sentinel, then the object is gone. */
  deleteGracefully(): void {
    const { api, world, settings } = this.#of;
    const { object } = this;
    if (object === undefined || this.#ending) return;
    this.#ending = true;
    api.put("pods", {
      ...object,
      metadata: { ...object.metadata, deletionTimestamp: api.wallTime(), deletionGracePeriodSeconds: settings.graceS },
    });
    const { redis } = this;
    if (redis?.proc.alive !== true || this.site === undefined) {
      world.schedule(500, () => this.#end());
      return;
    }
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      if (redis.proc.alive) this.#of.ending(redis);
      // SIGTERM: an orderly end writes its file.
      if (redis.proc.alive && !redis.proc.frozen) redis.save();
      world.schedule(20 + world.random.next() * 50, () => {
        redis.proc.kill();
        world.tell(this.name, "has ended");
        world.schedule(100 + world.random.next() * 200, () => this.#end());
      });
    };
    world.schedule(settings.graceS * 1000, end);
    const { proc: script, pod } = this.#script("prestop");
    script.after(50 + world.random.next() * 150, () => void preStop(pod, settings.graceS * 1000).then(end));
    redis.proc.onKill(end);
  }

  /** kubectl delete pod --force: the object is gone at once, the processes end a little later. */
  deleteByForce(): void {
    const { api, world } = this.#of;
    if (this.object === undefined) return;
    this.#ending = true;
    api.remove("pods", NAMESPACE, this.name);
    world.schedule(300 + world.random.next() * 2500, () => this.#end());
  }

  #end(): void {
    if (this.#gone) return;
    this.#stop(false);
    this.#gone = true;
    if (this.object !== undefined) this.#of.api.remove("pods", NAMESPACE, this.name);
  }
}
