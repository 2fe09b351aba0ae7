/** A client of the group: one write after the other through the master Service, unique keys, 1 s of patience, a new connection after any error. */
import { REDIS_PORT } from "../../model/names.ts";
import type { NodeProxy } from "./cluster/controllers.ts";
import { PASSWORD } from "./cluster/pod.ts";
import type { Answers, Commands } from "./servers/protocol.ts";
import { End, type Network } from "./world/network.ts";
import { type Host, Proc, type World } from "./world/world.ts";

const PATIENCE_MS = 1000;
const RETRY_MS = 60;

export class Writer {
  readonly proc: Proc;
  /** acknowledged writes, and when */
  readonly acknowledged = new Map<string, number>();
  /** why the last write failed */
  trouble = "";
  readonly #network: Network;
  readonly #proxy: NodeProxy;
  readonly #service: string;
  readonly #name: string;
  #end: End | undefined;
  #count = 0;
  #turn = 0;

  constructor(world: World, network: Network, proxy: NodeProxy, host: Host, name: string, service: string) {
    this.proc = new Proc(world, name, host);
    this.#network = network;
    this.#proxy = proxy;
    this.#service = service;
    this.#name = name;
    this.proc.after(0, () => this.#connect());
  }

  #again(why: string): void {
    this.trouble = why;
    this.#turn += 1;
    this.#end?.close();
    this.#end = undefined;
    this.proc.after(RETRY_MS, () => this.#connect());
  }

  /** Runs `late` unless the turn is over by then. */
  #patience(late: () => void): void {
    const turn = this.#turn;
    this.proc.after(PATIENCE_MS, () => {
      if (turn === this.#turn) late();
    });
  }

  #connect(): void {
    const ip = this.#proxy.target(this.#service);
    if (ip === undefined) {
      this.#again("the Service has no endpoint");
      return;
    }
    const turn = ++this.#turn;
    this.#patience(() => this.#again(`no connection to ${ip}`));
    this.#network.dial(this.proc, ip, REDIS_PORT, (end) => {
      if (turn !== this.#turn) {
        if (end instanceof End) end.close();
        return;
      }
      if (!(end instanceof End)) return this.#again(`${ip}: ${end}`);
      this.#end = end;
      end.onClose = () => end === this.#end && this.#again(`${ip} closed the connection`);
      end.send({ hello: { password: PASSWORD, name: this.#name } } satisfies Commands);
      this.#write(end);
    });
  }

  #write(end: End): void {
    if (end !== this.#end) return;
    const turn = ++this.#turn;
    this.#count += 1;
    const write = `${this.#name}-${this.#count}`;
    this.#patience(() => this.#again("no answer"));
    end.onMessage = (message) => {
      const [reply] = (message as Answers).replies ?? [];
      if (turn !== this.#turn || reply === undefined) return;
      if (reply !== "OK") return this.#again(String(reply));
      this.#turn += 1;
      this.trouble = "";
      this.acknowledged.set(write, this.proc.world.now);
      const { random } = this.proc.world;
      this.proc.after(random.chance(0.2) ? random.next() * 5 : 20 + random.next() * 250, () => this.#write(end));
    };
    end.send({ commands: [["SET", write]] } satisfies Commands);
  }
}
