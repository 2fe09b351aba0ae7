/** docker/boot/prestop: holds a redis that is to end until its role has moved; where no handlers are it hands over through Sentinel. */
import { setTimeout as sleep } from "node:timers/promises";
import { REDIS_PORT, SENTINEL_PORT } from "../../../model/names.ts";
import { askSentinels, bestAnswer, call, info, infoValue, roleOf } from "./answers.ts";
import type { Pod } from "./boot.ts";

const HANDLERS_MS = 2000;

export async function preStop(pod: Pod, graceMs: number): Promise<void> {
  const own = (...command: string[]) => call(pod, pod.ip, REDIS_PORT, [command]);
  const started = Date.now();
  const elapsed = (): number => Date.now() - started;
  const bound = Math.max(1000, graceMs - 5000);
  const handlersThere = / name=redis-ha/.test(String((await own("CLIENT", "LIST"))?.[0] ?? ""));
  const handlers = handlersThere ? Math.min(5 * HANDLERS_MS, bound / 2) : HANDLERS_MS;
  const patience = handlersThere ? Math.min(5000, handlers) : 2000;
  let silent = 0;
  let alone: number | undefined;
  let attempted: number | undefined;
  while (elapsed() < bound) {
    const [role] = await roleOf(pod, pod.ip);
    if (role === "slave") return;
    if (role === "master") {
      silent = 0;
      if ((await infoValue(pod, pod.ip, "connected_slaves")) === "0") {
        alone ??= Date.now();
        if (Date.now() - alone < patience) {
          await sleep(100);
          continue;
        }
        if (await followMovedRole(pod)) return;
        if (pod.sentinels().every((ip) => ip === pod.ip)) {
          pod.log("prestop: no replica, nothing to hand over to");
          return;
        }
        await sleep(1000);
        continue;
      }
      alone = undefined;
      const again = attempted === undefined || (Date.now() - attempted >= 2000 && elapsed() <= bound - 4000);
      if (elapsed() >= handlers && again) {
        if ((await goodReplicas(pod, 2)).length > 0) {
          if (await handOver(pod, () => elapsed() < bound)) return;
          attempted = Date.now();
        }
      }
    } else {
      silent += 1;
      if (silent >= 3) return;
    }
    await sleep(100);
  }
  pod.log("prestop: still the master, ending nevertheless");
}

async function goodReplicas(pod: Pod, mostLag: number): Promise<string[]> {
  return [...(await info(pod, pod.ip))].flatMap(([key, value]) => {
    const [, ip, state, lag] = /ip=([^,]*),.*state=([^,]*),.*lag=(\d+)/.exec(value) ?? [];
    return /^slave\d/.test(key) && ip !== undefined && state === "online" && Number(lag) <= mostLag ? [ip] : [];
  });
}

async function named(pod: Pod): Promise<{ ip: string | undefined; sentinel: string | undefined }> {
  const words = await askSentinels(pod, pod.sentinels());
  const best = bestAnswer(words);
  const top = words.filter(({ epoch }) => epoch === best?.epoch);
  return { ip: best?.ip, sentinel: (top.find(({ from }) => from !== pod.ip) ?? top[0])?.from };
}

async function followMovedRole(pod: Pod): Promise<boolean> {
  const { ip } = await named(pod);
  if (ip === undefined || ip === pod.ip || (await roleOf(pod, ip))[0] !== "master") return false;
  await demote(pod, ip);
  return true;
}

async function demote(pod: Pod, ip: string): Promise<void> {
  const commands = [
    ["REPLICAOF", ip, String(REDIS_PORT)],
    ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
    ["CLIENT", "KILL", "TYPE", "pubsub"],
    ["CLIENT", "UNPAUSE"],
  ];
  await call(pod, pod.ip, REDIS_PORT, commands, 2000);
  pod.log(`prestop: ${ip} is the master now; this server follows it and ends`);
}

/** The replicas that Sentinel may choose, once each of them has everything; undefined: not within a second. */
async function caughtUp(pod: Pod): Promise<string[] | undefined> {
  const offset = Number(await infoValue(pod, pod.ip, "master_repl_offset"));
  const from = Date.now();
  while (Date.now() - from <= 1000) {
    const replicas = await goodReplicas(pod, 6);
    let behind = replicas.length === 0;
    for (const ip of replicas) if (!(Number(await infoValue(pod, ip, "slave_repl_offset")) >= offset)) behind = true;
    if (!behind) return replicas;
    await sleep(100);
  }
  return undefined;
}

/** Some sentinel is in the middle of a failover of this group. */
async function failoverIsOn(pod: Pod): Promise<boolean> {
  const replies = await Promise.all(
    pod.sentinels().map((ip) => call(pod, ip, SENTINEL_PORT, [["SENTINEL", "MASTER", pod.group]])),
  );
  return JSON.stringify(replies).includes("failover_in_progress");
}

async function handOver(pod: Pod, mayGoOn: () => boolean): Promise<boolean> {
  const own = (...command: string[]) => call(pod, pod.ip, REDIS_PORT, [command]);
  if (await followMovedRole(pod)) return true;
  const { ip, sentinel } = await named(pod);
  if (ip !== pod.ip || sentinel === undefined) return false;
  if ((await own("PUBLISH", "redis-ha:prestop", "look")) === undefined) return false;
  pod.log(`prestop: handing over by the sentinel ${sentinel}`);
  await own("CLIENT", "PAUSE", "10000", "WRITE");
  const takeBack = async (): Promise<false> => {
    const now = await named(pod);
    if (now.ip === undefined || now.ip === pod.ip) await own("CLIENT", "UNPAUSE");
    return false;
  };
  const replicas = await caughtUp(pod);
  if (replicas === undefined) return takeBack();
  const reply = String((await call(pod, sentinel, SENTINEL_PORT, [["SENTINEL", "FAILOVER", pod.group]], 2000))?.[0] ?? "");
  if (reply !== "OK" && !/INPROG/.test(reply)) return takeBack();
  const followPromoted = async (): Promise<boolean> => {
    const now = await named(pod);
    let to = now.ip === pod.ip ? undefined : now.ip;
    for (const replica of replicas) if (to === undefined && (await roleOf(pod, replica))[0] === "master") to = replica;
    if (to === undefined) return false;
    await demote(pod, to);
    return true;
  };
  const waited = Date.now();
  while (Date.now() - waited <= 4000) {
    if (await followPromoted()) return true;
    await sleep(100);
  }
  while ((await failoverIsOn(pod)) && mayGoOn()) {
    await own("CLIENT", "PAUSE", "10000", "WRITE");
    if (await followPromoted()) return true;
    await sleep(100);
  }
  return (await followPromoted()) || takeBack();
}
