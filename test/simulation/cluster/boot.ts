/** The boot scripts in brief: docker/boot/server.sh with watch.sh, and docker/boot/sentinel. One function for each of theirs, under its name. */
import { setTimeout as sleep } from "node:timers/promises";
import { NOBODY, REDIS_PORT, SENTINEL_PORT } from "../../../model/names.ts";
import type { SentinelFile } from "../servers/sentinel.ts";
import {
  type Asker,
  askSentinels,
  type Best,
  bestAnswer,
  call,
  entries,
  hasKeys,
  replicasOf,
  roleOf,
  type Word,
} from "./answers.ts";

export interface Pod extends Asker {
  readonly ip: string;
  readonly downAfterMs: number;
  /** the addresses behind the sentinel Service, our own first */
  sentinels(): string[];
  log(text: string): void;
}

const isNobody = (ip: string): boolean => ip === NOBODY.host;

/** server.sh: whom the server is started as a replica of. Law 1: never as master. */
export async function chooseMaster(pod: Pod): Promise<{ ip: string; port: number }> {
  const best = bestAnswer(await askSentinels(pod, pod.sentinels()));
  if (best !== undefined && best.ip !== pod.ip && (await roleOf(pod, best.ip))[0] === "master")
    return { ip: best.ip, port: REDIS_PORT };
  return { ip: NOBODY.host, port: NOBODY.port };
}

/** watch.sh: attaches after 3 s what a majority names, and asks for a failover where nobody else does. */
export class Watcher {
  readonly #pod: Pod;
  #settled = false;
  #restored = false;
  #fact = "";
  #factSince = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  #words: readonly Word[] = [];
  #best: Best | undefined;

  constructor(pod: Pod) {
    this.#pod = pod;
  }

  async run(): Promise<void> {
    for (;;) {
      await this.#look();
      await sleep(this.#settled ? 10_000 : 1000);
    }
  }

  #hold(fact: string): number {
    if (this.#fact !== fact) {
      this.#fact = fact;
      this.#factSince = Date.now();
    }
    return Date.now() - this.#factSince;
  }

  async #ask(): Promise<void> {
    this.#words = await askSentinels(this.#pod, this.#pod.sentinels());
    this.#best = bestAnswer(this.#words);
  }

  get #majority(): boolean {
    return this.#best !== undefined && this.#best.agreeing * 2 > this.#best.voters;
  }

  async #look(): Promise<void> {
    const pod = this.#pod;
    const [role, ip = "", , state] = await roleOf(pod, pod.ip);
    if (role === undefined) return;
    if (role === "master" || state === "connected") return this.#settle();
    this.#settled = false;
    if (!isNobody(ip) && state === "sync") {
      this.#fact = "";
      return;
    }
    await this.#ask();
    const named = this.#best?.ip;
    if (named === undefined) this.#fact = "";
    else if (named === pod.ip) {
      if (isNobody(ip)) await this.#askFailover();
      else this.#fact = "";
    } else if (named === ip) this.#fact = "";
    else await this.#attach(named);
  }

  async #settle(): Promise<void> {
    this.#settled = true;
    if (this.#restored) return;
    for (const parameter of [
      ["replica-priority", "100"],
      ["replica-serve-stale-data", "yes"],
    ]) {
      const reply = await call(this.#pod, this.#pod.ip, REDIS_PORT, [["CONFIG", "SET", ...parameter]], 2000);
      if (reply?.[0] !== "OK") return;
    }
    this.#restored = true;
  }

  async #attach(named: string): Promise<void> {
    const pod = this.#pod;
    if (this.#hold(`named ${named}`) < 3000 || !this.#majority) return;
    if ((await roleOf(pod, named))[0] !== "master") return;
    pod.log(`attaching to ${named}`);
    await call(pod, pod.ip, REDIS_PORT, [["REPLICAOF", named, String(REDIS_PORT)]], 2000);
    this.#fact = "";
  }

  async #failoverIsSafe(sentinel: string): Promise<boolean> {
    const pod = this.#pod;
    let [having, lacking, absent] = [0, 0, 0];
    for (const { ip, flags } of await replicasOf(pod, sentinel)) {
      if (/s_down|disconnected/.test(flags)) absent += 1;
      else if (await hasKeys(pod, ip)) having += 1;
      else lacking += 1;
    }
    if (having > 0) return lacking === 0;
    return lacking > 0 && absent === 0 && !(await hasKeys(pod, pod.ip));
  }

  /** failover_is_on: one after the other */
  async #failoverIsOn(): Promise<boolean> {
    for (const address of this.#pod.sentinels()) {
      const [word] = await askSentinels(this.#pod, [address]);
      if (word?.fields.get("flags")?.includes("failover_in_progress") === true) return true;
    }
    return false;
  }

  async #askFailover(): Promise<void> {
    const pod = this.#pod;
    const held = this.#hold("own");
    if (held < pod.downAfterMs || Date.now() - this.#askedAt < 2 * pod.downAfterMs + 1000) return;
    await this.#ask();
    if (this.#best?.ip !== pod.ip || !this.#majority) return;
    this.#askedAt = Date.now();
    const top = this.#words.filter(({ epoch }) => epoch === this.#best?.epoch);
    const sentinel = (top.find(({ from }) => from !== pod.ip) ?? top[0])?.from;
    if (sentinel === undefined || !(await this.#failoverIsSafe(sentinel))) return;
    // All that took a while: Sentinel's own election may be on, or won.
    if (await this.#failoverIsOn()) return;
    const [word] = await askSentinels(pod, [sentinel]);
    if (word === undefined || word.epoch !== this.#best.epoch || word.ip !== pod.ip) return;
    const reply = await call(pod, sentinel, SENTINEL_PORT, [["SENTINEL", "FAILOVER", pod.group]], 2000);
    pod.log(`asked the sentinel ${sentinel} for a failover: ${String(reply?.[0] ?? "no answer")}`);
  }
}

const SLOT_WAIT_MS = 15_000;

/** docker/boot/sentinel: the file of a new sentinel, with what its peers know. */
export async function makeSentinelFile(
  pod: Pod,
  slot: () => string | undefined,
  identity: (of: string) => string,
  uid: string,
): Promise<SentinelFile> {
  const from = Date.now();
  while (slot() === undefined && Date.now() - from < SLOT_WAIT_MS) await sleep(100);
  const myId = identity(slot() ?? uid);
  const peers = pod.sentinels().filter((address) => address !== pod.ip);
  const words = await askSentinels(pod, peers);
  const best = bestAnswer(words);
  const peer = words.find(({ epoch, ip }) => epoch === best?.epoch && ip === best.ip);
  if (best === undefined || peer === undefined) return { myId, currentEpoch: 0, master: undefined };
  // A vote that this slot's predecessor gave must not be given again in the same epoch.
  let voted = best.epoch;
  for (const { from: address, ip, port } of words) {
    const reply = await call(pod, address, SENTINEL_PORT, [["SENTINEL", "IS-MASTER-DOWN-BY-ADDR", ip, String(port), "0", myId]]);
    const ballot = reply?.[0];
    if (Array.isArray(ballot)) voted = Math.max(voted, Number(ballot[2]));
    for (const { voted: seen } of await entries(pod, address, "SENTINELS")) voted = Math.max(voted, seen);
  }
  const number = (name: string): number => Number(peer.fields.get(name));
  const living = ({ flags }: { flags: string }): boolean => !/s_down|disconnected/.test(flags);
  const replicas = (await replicasOf(pod, peer.from)).filter(living).map(({ ip }) => ({ ip, port: REDIS_PORT }));
  const peerId = String((await call(pod, peer.from, SENTINEL_PORT, [["SENTINEL", "MYID"]]))?.[0] ?? "");
  const others = (await entries(pod, peer.from, "SENTINELS")).filter((one) => living(one) && one.runId !== myId);
  return {
    myId,
    currentEpoch: voted,
    master: {
      ip: best.ip,
      port: REDIS_PORT,
      quorum: number("quorum"),
      downAfter: number("down-after-milliseconds"),
      failoverTimeout: number("failover-timeout"),
      parallelSyncs: number("parallel-syncs"),
      configEpoch: best.epoch,
      leaderEpoch: voted,
      replicas,
      sentinels: [
        ...(peerId === "" ? [] : [{ ip: peer.from, port: SENTINEL_PORT, runId: peerId }]),
        ...others.map(({ ip, runId }) => ({ ip, port: SENTINEL_PORT, runId })),
      ],
    },
  };
}
