/** How the boot scripts (docker/boot/lib.sh) ask the sentinels and the servers, and read their answers. */
import { flatFields, infoFields } from "../../../handlers/observe/replies.ts";
import { REDIS_PORT, SENTINEL_PORT } from "../../../model/names.ts";
import { ask } from "../servers/server.ts";
import type { Network } from "../world/network.ts";
import type { Proc } from "../world/world.ts";

export interface Word {
  readonly from: string;
  readonly epoch: number;
  readonly ip: string;
  readonly port: number;
  readonly others: number;
  readonly fields: ReadonlyMap<string, string>;
}

export interface Best {
  readonly ip: string;
  readonly epoch: number;
  readonly agreeing: number;
  readonly voters: number;
}

export interface Asker {
  readonly network: Network;
  readonly proc: Proc;
  readonly password: string | undefined;
  readonly group: string;
}

const ANSWER_MS = 1000;

/** ask_sentinels: our own and all others at once */
export async function askSentinels(asker: Asker, addresses: readonly string[]): Promise<Word[]> {
  const words = await Promise.all(
    addresses.map(async (from): Promise<Word | undefined> => {
      const replies = await call(asker, from, SENTINEL_PORT, [["SENTINEL", "MASTER", asker.group]]);
      const fields = flatFields(replies?.[0]);
      const ip = fields.get("ip");
      if (ip === undefined) return undefined;
      return {
        from,
        ip,
        port: Number(fields.get("port")),
        epoch: Number(fields.get("config-epoch")),
        others: Number(fields.get("num-other-sentinels")),
        fields,
      };
    }),
  );
  return words.filter((word) => word !== undefined);
}

/** best_answer: the highest config-epoch, on a tie what most say */
export function bestAnswer(words: readonly Word[]): Best | undefined {
  const epoch = Math.max(-1, ...words.map((word) => word.epoch));
  const top = words.filter((word) => word.epoch === epoch);
  const counts = new Map<string, number>();
  for (const { ip } of top) counts.set(ip, (counts.get(ip) ?? 0) + 1);
  const [best] = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  if (best === undefined) return undefined;
  return { ip: best[0], epoch, agreeing: best[1], voters: Math.max(...top.map(({ others }) => others + 1)) };
}

export async function call(
  asker: Asker,
  ip: string,
  port: number,
  commands: string[][],
  withinMs = ANSWER_MS,
): Promise<readonly unknown[] | undefined> {
  return ask(asker.network, asker.proc, { ip, port, password: asker.password }, commands, withinMs);
}

/** role_of: ["master"], ["slave", ip, port, state], or nothing */
export async function roleOf(asker: Asker, ip: string): Promise<readonly string[]> {
  const replies = await call(asker, ip, REDIS_PORT, [["ROLE"]]);
  const role = replies?.[0];
  return Array.isArray(role) ? role.slice(0, 4).map(String) : [];
}

export async function infoValue(asker: Asker, ip: string, key: string): Promise<string | undefined> {
  return (await info(asker, ip)).get(key);
}

export async function info(asker: Asker, ip: string): Promise<Map<string, string>> {
  return infoFields((await call(asker, ip, REDIS_PORT, [["INFO"]]))?.[0]);
}

export const hasKeys = async (asker: Asker, ip: string): Promise<boolean> => (await info(asker, ip)).has("db0");

/** records: IP and flags of each entry of SENTINEL REPLICAS */
export async function replicasOf(asker: Asker, sentinel: string): Promise<{ ip: string; flags: string; runId: string }[]> {
  return entries(asker, sentinel, "REPLICAS");
}

export async function entries(
  asker: Asker,
  sentinel: string,
  what: "REPLICAS" | "SENTINELS",
): Promise<{ ip: string; flags: string; runId: string; voted: number }[]> {
  const reply = (await call(asker, sentinel, SENTINEL_PORT, [["SENTINEL", what, asker.group]]))?.[0];
  if (!Array.isArray(reply)) return [];
  return reply.map((one) => {
    const fields = flatFields(one);
    return {
      ip: fields.get("ip") ?? "",
      flags: fields.get("flags") ?? "",
      runId: fields.get("runid") ?? "",
      voted: Number(fields.get("voted-leader-epoch") ?? "0"),
    };
  });
}
