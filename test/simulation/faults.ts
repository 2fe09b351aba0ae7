/** Carries out the faults of a plan, and mends everything at the end. */

import { REQUEST } from "../../model/names.ts";
import { Armed, isArmed } from "./armed.ts";
import { NAMESPACE } from "./cluster/controllers.ts";
import type { SimPod } from "./cluster/pod.ts";
import { SERVICE, type SimGroup } from "./group.ts";
import type { HandlerReplica } from "./handlers.ts";
import { Partitions } from "./partitions.ts";
import { type Fault, nameOfFault, type Target, type Who } from "./plan.ts";
import type { Host, World } from "./world/world.ts";

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
  "split",
  "power off",
  "power off all",
  "handler clock jump",
]);

const TARGETS: readonly Target[] = ["master", "replica", "other replica", "0", "1", "2"];

export class Faults {
  readonly #group: SimGroup;
  readonly #world: World;
  readonly #network: Partitions;
  /** what has to be undone; run at its time, or when everything is mended */
  readonly #undo = new Set<() => void>();
  readonly #armed: Armed;
  /** the last time that something struck or was undone */
  lastAt = 0;

  constructor(group: SimGroup) {
    this.#group = group;
    this.#world = group.world;
    this.#network = new Partitions(group, (ms, undo) => this.#for(ms, undo));
    this.#armed = new Armed(group, {
      freezeHandler: (handler, ms) => this.#freezeHandler(handler, ms),
      lasts: (ms, undo) => this.#for(ms, undo),
      struck: () => {
        this.lastAt = this.#world.now;
      },
    });
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
    this.#armed.disarm();
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

  /** Beside that redis, or in a pod of its own. */
  #sentinelPod(target: Target): SimPod | undefined {
    const pod = this.#pod(target);
    return pod?.part.sentinel === true ? pod : this.#group.sentinelPods[TARGETS.indexOf(target) % 3];
  }

  #handler(who: Who): HandlerReplica | undefined {
    const { leader, handlers } = this.#group;
    return who === "leader" ? (leader ?? handlers[0]) : handlers.find((one) => one !== leader);
  }

  #do(fault: Fault): void {
    const { api } = this.#group;
    switch (fault.kind) {
      case "kill redis":
        this.#pod(fault.target)?.killRedis();
        return;
      case "kill sentinel":
        this.#sentinelPod(fault.target)?.killSentinel();
        return;
      case "freeze redis":
        this.#freezeRedis(this.#pod(fault.target), fault.ms);
        return;
      case "freeze sentinel": {
        const sentinel = this.#sentinelPod(fault.target)?.sentinel;
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
        if (pod !== undefined) this.#network.cutOff(pod.host, this.#network.hosts(fault.from), fault.way, fault.ms, fault.from);
        return;
      }
      case "slow network": {
        const host = this.#pod(fault.target)?.host;
        if (host !== undefined) this.#network.slow(host, fault.delayMs, fault.ms);
        return;
      }
      case "lag": {
        const pod = this.#pod(fault.target);
        if (pod !== undefined) this.#network.lag(pod, fault.delayMs, fault.ms);
        return;
      }
      case "split":
        this.#network.split(
          fault.side.flatMap((target) => this.#pod(target) ?? []),
          fault.with,
          fault.ms,
        );
        return;
      case "loss":
        this.#network.loss(fault.part, fault.ms);
        return;
      case "cut connections": {
        const redis = this.#pod(fault.target)?.redis;
        for (const connection of [...(redis?.connections ?? [])]) redis?.close(connection);
        return;
      }
      case "delete sentinel": {
        const { sentinelPods } = this.#group;
        const pod = sentinelPods[fault.number % Math.max(1, sentinelPods.length)];
        if (fault.force) pod?.deleteByForce();
        else pod?.deleteGracefully();
        return;
      }
      case "kill all redis":
        for (const pod of this.#group.pods) pod.killRedis();
        return;
      case "power off all":
        for (const host of new Set(this.#group.all.map((pod) => pod.host))) this.#powerOff(host, fault.ms);
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
    if (isArmed(fault)) {
      this.#armed.arm(fault);
      return;
    }
    if (!("who" in fault)) return;
    const handler = this.#handler(fault.who);
    if (handler === undefined) return;
    if (fault.kind === "kill handler") handler.kill(fault.ms);
    else if (fault.kind === "freeze handler") this.#freezeHandler(handler, fault.ms);
    else if (fault.kind === "cut handlers off")
      this.#network.cutOff(handler.host, this.#network.hosts(fault.from), "both", fault.ms, fault.from);
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
    const end = this.#network.troubles([redis], "frozen");
    redis.proc.freeze();
    this.#for(ms, () => {
      redis.proc.thaw();
      end();
    });
  }

  /** Its redis runs on for a moment; no place where the newest data must be. */
  #deleteByForce(pod: SimPod | undefined): void {
    if (pod?.redis !== undefined) this.#network.troubles([pod.redis], "slow");
    pod?.deleteByForce();
  }

  #powerOff(host: Host | undefined, ms: number): void {
    const { off, all, handlers } = this.#group;
    if (host === undefined || off.has(host)) return;
    off.add(host);
    const struck = all.filter((pod) => pod.host === host);
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

  /** A new template: one pod after the other is replaced, the next when the group is well again. Sentinels in pods of their own are left alone. */
  #rollout(): void {
    const workloads = this.#group.workloads.filter(({ part }) => part.redis);
    for (const workload of workloads) workload.revision = `rev-${workload.revision.length + Math.floor(this.#world.now)}`;
    const old = this.#group.pods.filter(({ ending }) => !ending);
    const next = (): void => {
      const pod = old.shift();
      if (pod === undefined) return;
      pod.deleteGracefully();
      const there = ({ ending, redis }: SimPod): boolean =>
        !ending && redis?.proc.alive === true && (redis.following.up || redis.isMaster);
      const wait = (): void => {
        const whole = workloads.every(({ living, replicas }) => living.length === replicas && living.every(there));
        if (pod.gone && whole) next();
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
}
