/** The product's own handlers as a simulated process: handlers/manager.ts with everything under it, unchanged. */
import { type Handlers, startHandlers } from "../../handlers/manager.ts";
import type { Logger } from "../../report/log.ts";
import type { Metrics } from "../../report/metrics.ts";
import type { ApiServer } from "./cluster/api.ts";
import { simulatedKube } from "./cluster/kube.ts";
import type { Network } from "./world/network.ts";
import { type Host, Proc, type World } from "./world/world.ts";

/** Metrics that nobody reads. */
const metrics = new Proxy(
  {},
  { get: () => ({ inc: () => undefined, observe: () => undefined, set: () => undefined, reset: () => undefined }) },
) as Metrics;

type Fields = Readonly<Record<string, unknown>>;

function logTo(tell: (text: string) => void): Logger {
  const say =
    (level: string) =>
    (fields: Fields | string, text = ""): void => {
      if (typeof fields === "string") {
        tell(`${level}: ${fields}`);
        return;
      }
      const { err, why, action, outcome, reason } = fields as Record<string, unknown>;
      const more = [action, outcome, reason, why, err instanceof Error ? err.message : err].filter((one) => one !== undefined);
      tell(`${level}: ${text}${more.length > 0 ? ` (${more.map(String).join(", ")})` : ""}`);
    };
  const quiet = (): void => undefined;
  return {
    info: quiet,
    debug: quiet,
    trace: quiet,
    warn: say("warns"),
    error: say("fails"),
    fatal: say("fails"),
  } as unknown as Logger;
}

/** One replica of the handlers' Deployment: killed it is started again after a while. */
export class HandlerReplica {
  readonly name: string;
  readonly host: Host;
  proc: Proc | undefined;
  handlers: Handlers | undefined;
  /** for laws.ts */
  onSaid: (reason: string) => void = () => undefined;
  /** what went wrong that is a bug whatever the invariants say */
  readonly bugs: string[] = [];
  readonly #world: World;
  readonly #network: Network;
  readonly #api: ApiServer;
  #starts = 0;
  #asleep = false;

  constructor(world: World, network: Network, api: ApiServer, host: Host, name: string) {
    this.#world = world;
    this.#network = network;
    this.#api = api;
    this.host = host;
    this.name = name;
    this.start();
  }

  get alive(): boolean {
    return this.proc?.alive === true;
  }

  start(): void {
    if (this.alive || this.#asleep) return;
    this.#starts += 1;
    const world = this.#world;
    const proc = new Proc(world, this.name, this.host, true);
    this.proc = proc;
    this.handlers = undefined;
    const kube = simulatedKube(this.#api, this.#network, proc);
    const tell = (text: string): void => {
      if (/this is a bug/.test(text)) this.bugs.push(text);
      world.tell(this.name, text);
    };
    const options = {
      kube,
      metrics,
      log: logTo(tell),
      reporter: {
        report: ({ reason, message }: { reason: string; message: string }) => {
          tell(`${reason}: ${message}`);
          this.onSaid(reason);
        },
      },
      namespace: "redis-ha",
      identity: `${this.name}-${this.#starts}`,
      succeeds: (holder: string) => holder.startsWith(`${this.name}-`),
    };
    proc.after(0, () => {
      startHandlers(options).then(
        (handlers) => {
          if (this.proc === proc) this.handlers = handlers;
        },
        (error: unknown) => this.bugs.push(`startHandlers: ${String(error)}`),
      );
    });
  }

  kill(againAfterMs: number): void {
    if (!this.alive) return;
    this.proc?.kill();
    this.#asleep = true;
    this.#world.tell(this.name, "is killed");
    this.#world.schedule(againAfterMs, () => {
      this.#asleep = false;
      this.start();
    });
  }

  wakeUp(): void {
    this.#asleep = false;
    this.start();
  }
}
