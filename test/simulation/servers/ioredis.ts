/** Stands in for the package ioredis in the simulation: as much of its Redis class as handlers/observe uses, on the simulated network. */
import { EventEmitter } from "node:events";
import { End, type Network } from "../world/network.ts";
import type { Proc } from "../world/world.ts";
import type { Answers, Commands } from "./protocol.ts";

let network: Network | undefined;

let sending: (proc: Proc, command: readonly string[], to: string) => void = () => undefined;

/** The network that connections are made on from now on; `onSend` is told of every command when it is sent. */
export function connectThrough(next: Network, onSend: typeof sending = () => undefined): void {
  network = next;
  sending = onSend;
}

interface Options {
  readonly host: string;
  readonly port: number;
  readonly password?: string;
  readonly connectionName?: string;
  readonly connectTimeout: number;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Redis extends EventEmitter {
  readonly #options: Options;
  readonly #proc: Proc;
  readonly #network: Network;
  #end: End | undefined;
  #over = false;
  #waiting: Waiting[] = [];
  #unsent: string[][] = [];
  #flushing = false;

  constructor(options: Options) {
    super();
    if (network?.world.current === undefined) throw new Error("a connection outside of the simulation");
    this.#options = options;
    this.#network = network;
    this.#proc = network.world.current;
  }

  connect(): Promise<void> {
    const { host, port, connectTimeout, password, connectionName } = this.#options;
    const late = this.#proc.after(connectTimeout, () => this.#fail("ETIMEDOUT"));
    this.#network.dial(this.#proc, host, port, (end) => {
      late.cancel();
      if (this.#over) {
        if (end instanceof End) end.close();
        return;
      }
      if (!(end instanceof End)) return this.#fail(end === "refused" ? "ECONNREFUSED" : "ECONNRESET");
      this.#end = end;
      end.onMessage = (message) => this.#read(message as Answers);
      end.onClose = () => this.#finish();
      end.send({ hello: { password, name: connectionName ?? "" } } satisfies Commands);
      this.emit("ready");
    });
    return Promise.resolve();
  }

  call(name: string, ...args: string[]): Promise<unknown> {
    if (this.#over || this.#end === undefined) return Promise.reject(new Error("Connection is closed."));
    sending(this.#proc, [name, ...args], this.#options.host);
    this.#unsent.push([name, ...args]);
    // What is sent in one go goes in one packet.
    if (!this.#flushing) {
      this.#flushing = true;
      queueMicrotask(() => this.#flush());
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  psubscribe(pattern: string): Promise<unknown> {
    return this.call("PSUBSCRIBE", pattern);
  }

  disconnect(): void {
    if (this.#over) return;
    this.#end?.close();
    this.#finish();
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#over) return;
    this.#end?.send({ commands: this.#unsent } satisfies Commands);
    this.#unsent = [];
  }

  #read(message: Answers): void {
    for (const reply of message.replies ?? []) {
      const waiting = this.#waiting.shift();
      if (reply instanceof Error) waiting?.reject(reply);
      else waiting?.resolve(reply);
    }
    if (message.push !== undefined) this.emit("pmessage", "*", message.push.channel, message.push.text);
    if (message.denied === true) {
      this.emit("error", new Error("WRONGPASS invalid username-password pair or user is disabled."));
    }
  }

  #fail(code: string): void {
    if (this.#over) return;
    this.emit("error", Object.assign(new Error(code), { code }));
    this.#finish();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("Connection is closed."));
    // The real one tells it later as well.
    this.#proc.after(0.1, () => this.emit("end"));
  }
}
