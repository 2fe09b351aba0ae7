/**
 * Two real servers of this machine and a relay in front, whose target moves as the master Service's does: for the development of the programs. The network is
 * the loopback's, so what depends on lost packets (TCP_USER_TIMEOUT) is not seen here: only the cluster measures.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "../client/resp.ts";
import { messageOf, waitUntil } from "../e2e/lib/wait.ts";
import { serverBinaries } from "../servers/install.ts";
import { type Field, writersIn } from "./field.ts";

const PASSWORD = "local";
const DETECT_MS = 100;
const SILENT_MS = 5000;
const HELD_MS = 12_000;
const PAUSE_MS = 60;
const LOCAL = "127.0.0.1";

/** A TCP relay: new connections go to the target of the moment; old ones stay where they are, as with a Service. */
class Relay {
  readonly #pairs = new Set<{ client: Socket; server: Socket; port: number }>();
  readonly #server: Server;
  target: number;
  /** nothing of this port's connections passes, and nobody is told */
  silent: number | undefined;
  port = 0;

  constructor(target: number) {
    this.target = target;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, LOCAL, resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the relay has no port");
    this.port = address.port;
  }

  close(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    this.#server.close();
  }

  #join(client: Socket): void {
    const port = this.target;
    const server = connect({ host: LOCAL, port });
    const pair = { client, server, port };
    this.#pairs.add(pair);
    const pass = (to: Socket) => (chunk: Buffer) => {
      if (this.silent !== port) to.write(chunk);
    };
    client.on("data", pass(server));
    server.on("data", pass(client));
    const end = (): void => {
      if (this.silent === port) return;
      this.#pairs.delete(pair);
      // A refused connection must look refused: reset, not a polite end.
      client.resetAndDestroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", end);
      socket.on("close", end);
      socket.on("end", end);
    }
  }

  /** After a silence: all that was connected learns of its end at last. */
  dropAll(port: number): void {
    for (const { client, server } of [...this.#pairs].filter((pair) => pair.port === port)) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  }
}

class LocalServer {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "redis-ha-clients-"));
  readonly #binary: string;
  #child: ChildProcess | undefined;

  constructor(binary: string, port: number) {
    this.#binary = binary;
    this.port = port;
  }

  async start(): Promise<void> {
    const args = ["--port", String(this.port), "--bind", LOCAL, "--requirepass", PASSWORD, "--masterauth", PASSWORD];
    const own = ["--dir", this.#folder, "--save", "", "--repl-diskless-sync-delay", "0"];
    this.#child = spawn(this.#binary, [...args, ...own], { stdio: "ignore" });
    await waitUntil(`redis on port ${this.port}`, 10_000, async () => await this.command("PING"));
  }

  kill(): void {
    this.#child?.kill("SIGKILL");
  }

  async command(...words: string[]): Promise<unknown> {
    const [reply] = await this.commands([words]);
    return reply;
  }

  async commands(all: readonly (readonly string[])[]): Promise<unknown[]> {
    const connection = await Connection.open({ host: LOCAL, port: this.port, password: PASSWORD }, 5000);
    try {
      const replies: unknown[] = [];
      for (const words of all) replies.push(await connection.command(words));
      return replies;
    } finally {
      connection.close();
    }
  }

  remove(): void {
    this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export async function openLocal(): Promise<Field> {
  const binary = (await serverBinaries()).find(({ name }) => name === "redis");
  if (binary === undefined) throw new Error("no redis among the servers");
  const [portA, portB] = [await freePort(), await freePort()];
  const servers = [new LocalServer(binary.server, portA), new LocalServer(binary.server, portB)];
  for (const server of servers) await server.start();
  const relay = new Relay(portA);
  await relay.listen();
  const of = (port: number): LocalServer => {
    const found = servers.find((server) => server.port === port);
    if (found === undefined) throw new Error(`no server on port ${port}`);
    return found;
  };
  const master = (): LocalServer => of(relay.target);
  const other = (): LocalServer => of(relay.target === portA ? portB : portA);
  const follow = async (): Promise<void> => {
    await other().command("REPLICAOF", LOCAL, String(relay.target));
    await waitUntil("the replica in sync", 20_000, async () => {
      const info = String(await other().command("INFO", "replication"));
      if (!info.includes("master_link_status:up")) throw new Error("link down");
    });
  };
  await follow();

  const faults: Record<string, { what: string; make: () => Promise<void> }> = {
    kill9: {
      what: "kill -9 of the server; the relay moves 0.1 s later",
      make: async () => {
        const dead = master();
        dead.kill();
        await sleep(DETECT_MS);
        await other().command("REPLICAOF", "NO", "ONE");
        relay.target = other().port;
        await dead.start();
        await follow();
      },
    },
    handover: {
      what: "writes paused, roles exchanged, the relay moved, old connections cut",
      make: async () => {
        const old = master();
        await old.command("CLIENT", "PAUSE", "5000", "WRITE");
        await sleep(PAUSE_MS);
        await other().command("REPLICAOF", "NO", "ONE");
        relay.target = other().port;
        await old.commands([
          ["REPLICAOF", LOCAL, String(relay.target)],
          ["CLIENT", "UNPAUSE"],
        ]);
        await old.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        await follow();
      },
    },
    partition: {
      what: "the relay swallows all of the master's connections for 12 s; after 5 s new ones lead to the other server",
      make: async () => {
        const old = master();
        relay.silent = old.port;
        await sleep(SILENT_MS);
        await other().command("REPLICAOF", "NO", "ONE");
        relay.target = other().port;
        await sleep(HELD_MS - SILENT_MS);
        relay.silent = undefined;
        await follow();
        relay.dropAll(old.port);
      },
    },
  };

  return {
    kind: "local",
    about: { server: `redis ${binary.version}` },
    target: { host: LOCAL, port: relay.port, password: PASSWORD },
    faults: Object.fromEntries(Object.entries(faults).map(([name, { what }]) => [name, what])),
    place: (command) => [...command],
    calm: follow,
    fault: async (name) => {
      const fault = faults[name];
      if (fault === undefined) throw new Error(`no fault is called ${name} here; there are ${Object.keys(faults).join(", ")}`);
      await fault.make();
    },
    missing: async (keys) => {
      const found = await master().commands(keys.map((key) => ["EXISTS", key]));
      return keys.filter((_, index) => found[index] !== 1);
    },
    strays: async () => writersIn(String(await other().command("CLIENT", "LIST"))),
    flush: async () => {
      await master().command("FLUSHALL");
    },
    close: async () => {
      relay.close();
      for (const server of servers) {
        try {
          server.remove();
        } catch (error) {
          process.stderr.write(`${messageOf(error)}\n`);
        }
      }
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, LOCAL, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
