/** Faults that wait: for a command of a handler, or for a client's write. */
import type { SimGroup } from "./group.ts";
import type { HandlerReplica } from "./handlers.ts";
import type { Fault } from "./plan.ts";
import type { Connection, Server } from "./servers/server.ts";

export type ArmedFault = Fault & {
  readonly kind: "kill handler at" | "freeze handler at" | "kill master at" | "kill master at write" | "freeze sentinels at";
};

const KINDS: ReadonlySet<Fault["kind"]> = new Set<Fault["kind"]>([
  "kill handler at",
  "freeze handler at",
  "kill master at",
  "kill master at write",
  "freeze sentinels at",
]);

export const isArmed = (fault: Fault): fault is ArmedFault => KINDS.has(fault.kind);

/** What strikes as it would without waiting. */
export interface Strikes {
  freezeHandler(handler: HandlerReplica, ms: number): void;
  lasts(ms: number, undo: () => void): void;
  /** something struck now */
  struck(): void;
}

export class Armed {
  readonly #group: SimGroup;
  readonly #strikes: Strikes;
  #faults: ArmedFault[] = [];

  constructor(group: SimGroup, strikes: Strikes) {
    this.#group = group;
    this.#strikes = strikes;
    group.onServer = (server) => this.#listen(server);
    for (const server of group.servers) this.#listen(server);
  }

  arm(fault: ArmedFault): void {
    this.#faults.push(fault);
    this.#listenToSentinels();
  }

  disarm(): void {
    this.#faults = [];
  }

  #listen(server: Server): void {
    server.onCommand = (connection, command) => this.#heard(connection, command);
    // A sentinel is found when it has been started beside the redis.
    this.#group.world.schedule(200, () => this.#listenToSentinels());
  }

  #listenToSentinels(): void {
    for (const { sentinel } of this.#group.sentinelPods)
      if (sentinel !== undefined) sentinel.onCommand = (connection, command) => this.#heard(connection, command);
  }

  #heard(connection: Connection, command: readonly string[]): void {
    if (this.#faults.length === 0) return;
    const text = command.join(" ");
    const found = this.#faults.find((fault) =>
      fault.kind === "kill master at write"
        ? command[0] === "SET"
        : connection.name === "redis-ha" && text.includes(fault.command),
    );
    if (found === undefined) return;
    this.#faults = this.#faults.filter((one) => one !== found);
    const { handlers, world } = this.#group;
    const sender = connection.end.peer?.proc;
    const handler = handlers.find(({ proc }) => proc === sender);
    world.schedule("afterMs" in found ? found.afterMs : 0, () => {
      world.tell("FAULT", `strikes after ${text}: ${found.kind}`);
      this.#strikes.struck();
      this.#strike(found, handler);
    });
  }

  #strike(fault: ArmedFault, handler: HandlerReplica | undefined): void {
    const { master, pods, sentinelPods, ledger } = this.#group;
    if (fault.kind === "kill master at" || fault.kind === "kill master at write") (master ?? pods[0])?.killRedis();
    else if (fault.kind === "freeze sentinels at") {
      const sentinels = sentinelPods.flatMap(({ sentinel }) => sentinel ?? []).filter((_, at) => at !== fault.but);
      for (const { proc } of sentinels) proc.freeze();
      this.#strikes.lasts(fault.ms, () => {
        for (const { proc } of sentinels) proc.thaw();
      });
    } else if (handler === undefined) return;
    else if (fault.kind === "kill handler at") {
      this.#strikes.lasts(fault.ms, ledger.handlersAway());
      handler.kill(fault.ms);
    } else this.#strikes.freezeHandler(handler, fault.ms);
  }
}
