/** Carries out the faults of a plan, and mends everything at the end. */

import { REQUEST } from "../../model/names.ts";
import { NAMESPACE } from "./cluster/controllers.ts";
import type { SimPod } from "./cluster/pod.ts";
import { SERVICE, type SimGroup } from "./group.ts";
import type { HandlerReplica } from "./handlers.ts";
import { type Fault, nameOfFault, type Target, type Who } from "./plan.ts";
import type { RedisServer } from "./servers/redis.ts";
import type { Connection, Server } from "./servers/server.ts";
import type { Trouble } from "./verdict.ts";
import type { Host, World } from "./world/world.ts";

/** The hosts beside a pod's. */
type Others = "all" | "pods" | "handlers" | "api";

/** Faults during which the handlers may not be able to lead. */
const HANDLERS_AWAY: ReadonlySet<Fault["kind"]> = new Set<Fault["kind"]>([
  "kill handler",
  "freeze handler",
  "cut handlers off",
  "api",
  "slow api",
  "stale watches",
  "loss",
  "slow network",
  "power off",
  "power off all",
  "handler clock jump",
]);

interface Armed {
  readonly fault: Fault & { readonly command: string; readonly afterMs: number };
}

export class Faults {
  readonly #group: SimGroup;
  readonly #world: World;
  /** what has to be undone; run at its time, or when everything is mended */
  readonly #undo = new Set<() => void>();
  #armed: Armed[] = [];
  /** the last time that something struck or was undone */
  lastAt = 0;

  constructor(group: SimGroup) {
    this.#group = group;
    this.#world = group.world;
    group.onServer = (server) => this.#listen(server);
    for (const server of group.servers) this.#listen(server);
  }

  strike(fault: Fault): void {
    this.#world.tell("FAULT", nameOfFault(fault));
    this.lastAt = this.#world.now;
    if (HANDLERS_AWAY.has(fault.kind) || ("from" in fault && fault.from !== "pods")) {
      this.#for("ms" in fault ? fault.ms : 0, this.#group.ledger.handlersAway());
    }
    this.#do(fault);
  }

  /** Undoes all that still lasts. */
  mend(): void {
    this.#armed = [];
    for (const undo of [...this.#undo]) undo();
    this.#group.network.heal();
    for (const handler of this.#group.handlers) handler.wakeUp();
  }

  #for(ms: number, undo: () => void): void {
    const once = (): void => {
      if (!this.#undo.delete(once)) return;
      this.lastAt = this.#world.now;
      undo();
    };
    this.#undo.add(once);
    this.#world.schedule(ms, () => {
      if (this.#undo.has(once)) this.#world.tell("FAULT", "is over");
      once();
    });
  }

  #pod(target: Target): SimPod | undefined {
    const { pods, master } = this.#group;
    if (target === "master") return master ?? pods[0];
    const replicas = pods.filter((pod) => pod !== master);
    if (target === "replica") return replicas[0] ?? pods[0];
    if (target === "other replica") return replicas[1] ?? pods.at(-1);
    return pods[Number(target)] ?? pods[0];
  }

  #handler(who: Who): HandlerReplica | undefined {
    const { leader, handlers } = this.#group;
    return who === "leader" ? (leader ?? handlers[0]) : handlers.find((one) => one !== leader);
  }

  #hosts(of: Others): Host[] {
    const { nodes, handlers, control, pods, proxies } = this.#group;
    if (of === "api") return [control];
    if (of === "handlers") return handlers.map(({ host }) => host);
    if (of === "pods") return pods.map(({ host }) => host);
    return [...new Set([...nodes, ...handlers.map(({ host }) => host), control, ...proxies.map(({ host }) => host)])];
  }

  /** Marks the redis processes of a host for the verdict about data; returns what ends it. */
  #troubles(servers: readonly RedisServer[], kind: Trouble["kind"]): () => void {
    const begun = servers.map((server) => this.#group.ledger.trouble(server, kind));
    return () => {
      for (const trouble of begun) trouble.to = this.#world.now;
    };
  }

  #on(host: Host): RedisServer[] {
    return this.#group.running.filter(({ proc }) => proc.host === host);
  }

  #cutOff(host: Host, others: readonly Host[], way: "both" | "in" | "out", ms: number, from: Others): void {
    const { network } = this.#group;
    const end = from === "handlers" || from === "api" ? () => undefined : this.#troubles(this.#on(host), "cut off");
    const pairs = others
      .filter((other) => other !== host)
      .flatMap((other): [Host, Host][] => [
        ...(way === "in" ? [] : [[host, other] as [Host, Host]]),
        ...(way === "out" ? [] : [[other, host] as [Host, Host]]),
      ]);
    for (const [from, to] of pairs) network.cut(from, to);
    this.#for(ms, () => {
      for (const [from, to] of pairs) network.mend(from, to);
      end();
    });
  }

  #do(fault: Fault): void {
    const { network, api } = this.#group;
    switch (fault.kind) {
      case "kill redis":
        this.#pod(fault.target)?.killRedis();
        return;
      case "kill sentinel":
        this.#pod(fault.target)?.killSentinel();
        return;
      case "freeze redis":
        this.#freezeRedis(this.#pod(fault.target), fault.ms);
        return;
      case "freeze sentinel": {
        const sentinel = this.#pod(fault.target)?.sentinel;
        sentinel?.proc.freeze();
        this.#for(fault.ms, () => sentinel?.proc.thaw());
        return;
      }
      case "delete pod":
        this.#pod(fault.target)?.deleteGracefully();
        return;
      case "force delete pod":
        this.#deleteByForce(this.#pod(fault.target));
        return;
      case "power off":
        this.#powerOff(this.#pod(fault.target)?.host, fault.ms);
        return;
      case "cut off": {
        const pod = this.#pod(fault.target);
        if (pod !== undefined) this.#cutOff(pod.host, this.#hosts(fault.from), fault.way, fault.ms, fault.from);
        return;
      }
      case "slow network": {
        const host = this.#pod(fault.target)?.host;
        if (host === undefined) return;
        const end = this.#troubles(this.#on(host), "slow");
        for (const other of this.#hosts("all")) {
          network.slow(host, other, fault.delayMs);
          network.slow(other, host, fault.delayMs);
        }
        this.#for(fault.ms, () => {
          for (const other of this.#hosts("all")) {
            network.slow(host, other, 0);
            network.slow(other, host, 0);
          }
          end();
        });
        return;
      }
      case "loss":
        network.loss = fault.part;
        this.#for(fault.ms, () => {
          network.loss = 0;
        });
        return;
      case "cut connections": {
        const redis = this.#pod(fault.target)?.redis;
        for (const connection of [...(redis?.connections ?? [])]) redis?.close(connection);
        return;
      }
      case "kill all redis":
        for (const pod of this.#group.pods) pod.killRedis();
        return;
      case "power off all":
        for (const host of new Set(this.#group.pods.map((pod) => pod.host))) this.#powerOff(host, fault.ms);
        return;
      case "drain":
        this.#drain(this.#pod(fault.target), fault.ms);
        return;
      case "rollout":
        this.#rollout();
        return;
      case "ask for a handover":
        this.#annotate(REQUEST.handover, "any");
        return;
      case "api":
        api.become(fault.state);
        this.#for(fault.ms, () => api.become("well"));
        return;
      case "slow api":
        api.slowMs = fault.delayMs;
        this.#for(fault.ms, () => {
          api.slowMs = 0;
        });
        return;
      case "stale watches":
        api.staleMs = fault.delayMs;
        this.#for(fault.ms, () => {
          api.staleMs = 0;
        });
        return;
      case "conflicts":
        this.#conflicts(fault.ms);
        return;
      case "clock jump": {
        const host = this.#pod(fault.target)?.host;
        if (host !== undefined) host.clockOffset += fault.byMs;
        return;
      }
      default:
        this.#toHandler(fault);
        return;
    }
  }

  #toHandler(fault: Fault): void {
    if (fault.kind === "kill handler at" || fault.kind === "freeze handler at" || fault.kind === "kill master at") {
      this.#armed.push({ fault });
      return;
    }
    if (!("who" in fault)) return;
    const handler = this.#handler(fault.who);
    if (handler === undefined) return;
    if (fault.kind === "kill handler") handler.kill(fault.ms);
    else if (fault.kind === "freeze handler") this.#freezeHandler(handler, fault.ms);
    else if (fault.kind === "cut handlers off") this.#cutOff(handler.host, this.#hosts(fault.from), "both", fault.ms, fault.from);
    else handler.host.clockOffset += fault.byMs;
  }

  #freezeHandler(handler: HandlerReplica, ms: number): void {
    const { proc } = handler;
    this.#for(ms, this.#group.ledger.handlersAway());
    this.#world.tell(handler.name, `is stopped for ${ms} ms`);
    proc?.freeze();
    this.#for(ms, () => proc?.thaw());
  }

  #freezeRedis(pod: SimPod | undefined, ms: number): void {
    const redis = pod?.redis;
    if (redis === undefined) return;
    const end = this.#troubles([redis], "frozen");
    redis.proc.freeze();
    this.#for(ms, () => {
      redis.proc.thaw();
      end();
    });
  }

  /** Its redis runs on for a moment; no place where the newest data must be. */
  #deleteByForce(pod: SimPod | undefined): void {
    if (pod?.redis !== undefined) this.#troubles([pod.redis], "slow");
    pod?.deleteByForce();
  }

  #powerOff(host: Host | undefined, ms: number): void {
    const { off, pods, handlers } = this.#group;
    if (host === undefined || off.has(host)) return;
    off.add(host);
    const struck = pods.filter((pod) => pod.host === host);
    for (const pod of struck) pod.powerOff();
    for (const handler of handlers) if (handler.host === host) handler.kill(ms + 2000);
    this.#for(ms, () => {
      off.delete(host);
      for (const pod of struck) pod.powerOn();
    });
  }

  #drain(pod: SimPod | undefined, ms: number): void {
    const { api, cordoned } = this.#group;
    if (pod === undefined) return;
    const cordon = (yes: boolean): void => {
      const node = api.get("nodes", "", pod.host.name);
      if (node !== undefined) api.put("nodes", { ...node, spec: yes ? { unschedulable: true } : {} });
      if (yes) cordoned.add(pod.host);
      else cordoned.delete(pod.host);
    };
    cordon(true);
    this.#world.schedule(100, () => pod.deleteGracefully());
    this.#for(ms, () => cordon(false));
  }

  /** A new template: one pod after the other is replaced, the next when the group is well again. */
  #rollout(): void {
    const { workload } = this.#group;
    workload.revision = `rev-${workload.revision.length + Math.floor(this.#world.now)}`;
    const old = workload.living.filter(({ ending }) => !ending);
    const next = (): void => {
      const pod = old.shift();
      if (pod === undefined) return;
      pod.deleteGracefully();
      const wait = (): void => {
        const there = ({ ending, redis }: SimPod): boolean =>
          !ending && redis?.proc.alive === true && (redis.following.up || redis.isMaster);
        if (pod.gone && workload.living.length === workload.replicas && workload.living.every(there)) next();
        else this.#world.schedule(300, wait);
      };
      this.#world.schedule(300, wait);
    };
    next();
  }

  #annotate(key: string, value: string): void {
    const { api } = this.#group;
    const service = api.get("services", NAMESPACE, SERVICE);
    if (service === undefined) return;
    api.put("services", {
      ...service,
      metadata: { ...service.metadata, annotations: { ...service.metadata.annotations, [key]: value } },
    });
  }

  #conflicts(ms: number): void {
    let over = false;
    const touch = (): void => {
      if (over) return;
      this.#annotate("somebody.else/was-here", String(Math.floor(this.#world.now)));
      this.#world.schedule(this.#world.random.between(2, 30), touch);
    };
    touch();
    this.#for(ms, () => {
      over = true;
    });
  }

  /** Faults that wait for a command. */
  #listen(server: Server): void {
    server.onCommand = (connection, command) => this.#heard(connection, command);
    // A sentinel is found when it has been started beside the redis.
    this.#world.schedule(200, () => {
      for (const { sentinel } of this.#group.pods)
        if (sentinel !== undefined) sentinel.onCommand = (connection, command) => this.#heard(connection, command);
    });
  }

  #heard(connection: Connection, command: readonly string[]): void {
    if (this.#armed.length === 0 || connection.name !== "redis-ha") return;
    const text = command.join(" ");
    const found = this.#armed.find(({ fault }) => text.includes(fault.command) && !/hello|NOBODY/.test(fault.command));
    if (found === undefined) return;
    this.#armed = this.#armed.filter((one) => one !== found);
    const { fault } = found;
    const sender = connection.end.peer?.proc;
    const handler = this.#group.handlers.find(({ proc }) => proc === sender);
    this.#world.schedule(fault.afterMs, () => {
      this.#world.tell("FAULT", `strikes after ${text}: ${fault.kind}`);
      this.lastAt = this.#world.now;
      if (fault.kind === "kill master at") this.#pod("master")?.killRedis();
      else if (handler === undefined) return;
      else if (fault.kind === "kill handler at") {
        this.#for(fault.ms, this.#group.ledger.handlersAway());
        handler.kill(fault.ms);
      } else if (fault.kind === "freeze handler at") this.#freezeHandler(handler, fault.ms);
    });
  }
}
