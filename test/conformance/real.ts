/** The real servers of a version, on addresses of the loopback range. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { REDIS_PORT, SENTINEL_PORT } from "../../model/names.ts";
import { Running } from "../boot/running.ts";
import type { ServerBinary } from "../servers/install.ts";
import { asText, type Bench, NO_ANSWER, type ServerName, type Wire } from "./bench.ts";

const NUMBER: Readonly<Record<ServerName, number>> = { r1: 1, r2: 2, s1: 3, s2: 4, s3: 5 };
let benches = 0;

/** @param password of all servers; the sentinels have it for each other, and for the servers only what MONITOR and SET give them */
export async function realBench(binary: ServerBinary, password?: string): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), "redis-ha-conformance-"));
  benches += 1;
  const network = `127.${10 + (process.pid % 240)}.${100 + benches}`;
  const ip = (server: ServerName): string => `${network}.${NUMBER[server]}`;
  const running = new Map<ServerName, Running>();
  const wires: Redis[] = [];
  for (const server of Object.keys(NUMBER) as ServerName[]) {
    const home = join(folder, server);
    await mkdir(home);
    const sentinel = server.startsWith("s");
    const lines = [
      `bind ${ip(server)}`,
      `port ${sentinel ? SENTINEL_PORT : REDIS_PORT}`,
      "protected-mode no",
      `dir ${home}`,
      ...(sentinel
        ? [`sentinel announce-ip ${ip(server)}`]
        : [`replica-announce-ip ${ip(server)}`, 'save ""', "repl-diskless-sync-delay 1"]),
    ];
    if (password !== undefined)
      lines.push(`requirepass ${password}`, sentinel ? `sentinel sentinel-pass ${password}` : `masterauth ${password}`);
    const file = join(home, "server.conf");
    await writeFile(file, `${lines.join("\n")}\n`);
    const started = new Running(binary.server, [file, ...(sentinel ? ["--sentinel"] : [])], home, {}, join(home, "log"));
    running.set(server, started);
  }

  async function wire(server: ServerName): Promise<Wire> {
    const port = server.startsWith("s") ? SENTINEL_PORT : REDIS_PORT;
    const options = {
      host: ip(server),
      port,
      protocol: 2,
      lazyConnect: true,
      maxRetriesPerRequest: 0,
      disableClientInfo: true,
      ...(password === undefined ? {} : { password }),
    } as const;
    const redis = new Redis({ ...options, retryStrategy: (times) => (times < 100 ? 50 : null), enableReadyCheck: false });
    redis.on("error", () => undefined);
    await redis.connect().catch(() => new Promise((resolve) => redis.once("ready", resolve)));
    // From now on a closed connection stays closed.
    redis.options.retryStrategy = () => null;
    wires.push(redis);
    let closed = false;
    redis.on("close", () => {
      closed = true;
    });
    const heard: string[] = [];
    redis.on("pmessage", (_pattern: string, channel: string) => heard.push(channel));
    let last: Promise<string> = Promise.resolve("");
    const within = (ms: number): Promise<string> => Promise.race([last, sleep(ms, NO_ANSWER)]);
    return {
      send: (command, withinMs = 1000) => {
        const [name = "", ...args] = command.split(" ");
        const subscribes = name === "SUBSCRIBE" || name === "PSUBSCRIBE";
        const sent = subscribes ? redis[name === "SUBSCRIBE" ? "subscribe" : "psubscribe"](...args) : redis.call(name, ...args);
        last = sent.then(asText, asText);
        return within(withinMs);
      },
      late: within,
      get closed() {
        return closed;
      },
      heard,
      close: () => redis.disconnect(),
    };
  }

  return {
    ip,
    wire,
    wait: (ms) => sleep(ms),
    kill: (server) => running.get(server)?.signal("SIGKILL"),
    freeze: (server) => running.get(server)?.signal("SIGSTOP"),
    thaw: (server) => running.get(server)?.signal("SIGCONT"),
    end: async () => {
      for (const redis of wires) redis.disconnect();
      for (const one of running.values()) one.kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
