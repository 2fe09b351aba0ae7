/** The models of the simulator, in virtual time. */
import { REDIS_PORT, SENTINEL_PORT } from "../../model/names.ts";
import { EMPTY } from "../simulation/servers/data.ts";
import type { Answers, Commands } from "../simulation/servers/protocol.ts";
import { RedisServer } from "../simulation/servers/redis.ts";
import { SentinelServer } from "../simulation/servers/sentinel.ts";
import { End, Network, type Site } from "../simulation/world/network.ts";
import { Proc, World } from "../simulation/world/world.ts";
import { asText, type Bench, GROUP, NO_ANSWER, type ServerName, type Wire } from "./bench.ts";

const NAMES: readonly ServerName[] = ["r1", "r2", "s1", "s2", "s3"];

export async function simulatedBench(seed: number, password?: string): Promise<Bench> {
  const world = new World(seed);
  const network = new Network(world);
  const procs = new Map<ServerName, Proc>();
  const ip = (server: ServerName): string => `10.0.0.${NAMES.indexOf(server) + 1}`;
  for (const name of NAMES) {
    const host = { name, clockOffset: 0 };
    const proc = new Proc(world, name, host);
    const site: Site = { ip: ip(name), host, listeners: new Map() };
    network.sites.set(site.ip, site);
    procs.set(name, proc);
    if (name.startsWith("s")) {
      const file = { myId: world.random.hex(40), currentEpoch: 0, master: undefined };
      new SentinelServer({ name, group: GROUP, proc, network, site, password, file });
    } else {
      const disk = { kind: "none" as const, head: EMPTY, replid: "", modifiedAt: 0 };
      const parameters = { "min-replicas-to-write": "0", "min-replicas-max-lag": "10", "replica-serve-stale-data": "yes" };
      new RedisServer({
        name,
        proc,
        network,
        site,
        port: REDIS_PORT,
        password,
        disk,
        parameters,
        replicaof: undefined,
      });
    }
  }
  const outside = new Proc(world, "script", { name: "script", clockOffset: 0 });

  // As long as a real server takes to come up.
  await world.run(200);

  /** Lets virtual time pass until there is something, or for so long. */
  async function pass(ms: number, enough: () => boolean): Promise<void> {
    if (!enough()) await world.run(world.now + ms, enough);
  }

  async function wire(server: ServerName): Promise<Wire> {
    let end: End | undefined;
    let refused = false;
    network.dial(outside, ip(server), server.startsWith("s") ? SENTINEL_PORT : REDIS_PORT, (made) => {
      if (made instanceof End) end = made;
      else refused = true;
    });
    await pass(5000, () => end !== undefined || refused);
    const connection = end;
    if (connection === undefined) throw new Error(`${server} does not take a connection`);
    if (password !== undefined) connection.send({ hello: { password, name: "" } } satisfies Commands);
    const replies: string[] = [];
    const heard: string[] = [];
    let closed = false;
    connection.onClose = () => {
      closed = true;
    };
    connection.onMessage = (message) => {
      const { replies: given = [], push } = message as Answers;
      replies.push(...given.map(asText));
      if (push !== undefined) heard.push(push.channel);
    };
    const late = async (ms: number): Promise<string> => {
      await pass(ms, () => replies.length > 0 || closed);
      return replies.shift() ?? (closed ? "-Connection" : NO_ANSWER);
    };
    return {
      send: async (command, withinMs = 1000) => {
        connection.send({ commands: [command.split(" ")] } satisfies Commands);
        return late(withinMs);
      },
      late,
      get closed() {
        return closed;
      },
      heard,
      close: () => connection.close(),
    };
  }

  return {
    ip,
    wire,
    wait: (ms) => pass(ms, () => false),
    kill: (server) => procs.get(server)?.kill(),
    freeze: (server) => procs.get(server)?.freeze(),
    thaw: (server) => procs.get(server)?.thaw(),
    end: () => Promise.resolve(),
  };
}
