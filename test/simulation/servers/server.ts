/** What a simulated redis and a simulated sentinel share: connections, the password, commands in order, and connections that wait. */
import type { End, Network, Site } from "../world/network.ts";
import type { Proc } from "../world/world.ts";
import { type Answers, type Commands, error } from "./protocol.ts";

/** A command that gets its answer later. */
export const LATER = Symbol("later");

export class Connection {
  readonly end: End;
  name = "";
  allowed: boolean;
  type: "normal" | "pubsub" | "replica" = "normal";
  /** patterns and channels; "*" stands for all */
  readonly channels = new Set<string>();
  /** commands that wait behind one that has no answer yet */
  queue: (readonly string[])[] = [];
  waiting = false;

  constructor(end: End, allowed: boolean) {
    this.end = end;
    this.allowed = allowed;
  }
}

export abstract class Server {
  readonly proc: Proc;
  readonly network: Network;
  readonly site: Site;
  readonly port: number;
  readonly password: string | undefined;
  readonly connections = new Set<Connection>();

  constructor(proc: Proc, network: Network, site: Site, port: number, password: string | undefined) {
    this.proc = proc;
    this.network = network;
    this.site = site;
    this.port = port;
    this.password = password;
  }

  listen(): void {
    this.site.listeners.set(this.port, { proc: this.proc, accept: (end) => this.#accept(end) });
    this.proc.onKill(() => {
      if (this.site.listeners.get(this.port)?.proc === this.proc) this.site.listeners.delete(this.port);
    });
  }

  #accept(end: End): void {
    const connection = new Connection(end, this.password === undefined);
    this.connections.add(connection);
    end.onClose = () => this.#gone(connection);
    end.onMessage = (message) => this.receive(connection, message);
  }

  #gone(connection: Connection): void {
    this.connections.delete(connection);
    this.onGone(connection);
  }

  /** for faults that strike at a certain command */
  onCommand: (connection: Connection, command: readonly string[]) => void = () => undefined;

  protected onGone(_connection: Connection): void {}

  close(connection: Connection): void {
    connection.end.close();
    connection.queue = [];
    this.#gone(connection);
  }

  protected receive(connection: Connection, message: unknown): void {
    const { hello, commands } = message as Commands;
    if (hello !== undefined) {
      connection.name = hello.name;
      connection.allowed = this.password === undefined || hello.password === this.password;
    }
    if (commands === undefined) return;
    for (const command of commands) connection.queue.push(command);
    this.work(connection);
  }

  /** Executes what is queued, as far as nothing has to wait. */
  work(connection: Connection): void {
    if (connection.waiting) return;
    const replies: unknown[] = [];
    for (;;) {
      const command = connection.queue[0];
      if (command === undefined || connection.end.closed) break;
      this.onCommand(connection, command);
      const reply = connection.allowed ? this.execute(connection, command) : error("NOAUTH Authentication required.");
      if (reply === LATER) {
        connection.waiting = true;
        break;
      }
      connection.queue.shift();
      replies.push(reply);
    }
    if (replies.length > 0) connection.end.send({ replies } satisfies Answers);
  }

  /** The command that waited may be tried again. */
  resume(): void {
    for (const connection of [...this.connections]) {
      if (!connection.waiting) continue;
      connection.waiting = false;
      this.work(connection);
    }
  }

  /** To all who listen to the channel; how many. */
  publish(channel: string, text: string): number {
    let count = 0;
    for (const connection of this.connections) {
      if (!connection.channels.has(channel) && !connection.channels.has("*")) continue;
      connection.end.send({ push: { channel, text } } satisfies Answers);
      count += 1;
    }
    return count;
  }

  protected abstract execute(connection: Connection, command: readonly string[]): unknown;
}

/** One command, or a few, on a connection of its own, as redis-cli does it. Undefined: no answer in time, or the connection was refused. */
export function ask(
  network: Network,
  proc: Proc,
  to: { ip: string; port: number; password: string | undefined },
  commands: readonly (readonly string[])[],
  withinMs: number,
): Promise<readonly unknown[] | undefined> {
  return new Promise((resolve) => {
    let connection: End | undefined;
    let over = false;
    const finish = (replies: readonly unknown[] | undefined): void => {
      if (over) return;
      over = true;
      late.cancel();
      connection?.close();
      resolve(replies);
    };
    const late = proc.after(withinMs, () => finish(undefined));
    network.dial(proc, to.ip, to.port, (end) => {
      if (typeof end === "string") return finish(undefined);
      if (over) return end.close();
      connection = end;
      const got: unknown[] = [];
      end.onMessage = (message) => {
        got.push(...((message as Answers).replies ?? []));
        if (got.length >= commands.length) finish(got);
      };
      end.onClose = () => finish(undefined);
      end.send({ hello: { password: to.password, name: "" }, commands } satisfies Commands);
    });
  });
}
