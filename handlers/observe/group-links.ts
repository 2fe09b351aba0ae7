/** All connections of one group: kept in line with its pods, read together into facts. */
import type { ConnectionOptions } from "node:tls";
import type { Address, MemberFact, OutsiderFact, PodFact, RedisFact, RedisUp, SentinelFact } from "../../model/facts.ts";
import { BOOT_REPORT_PARAMETER, SENTINEL_PORT, TLS_REPLICATION } from "../../model/names.ts";
import { Link, LinkError } from "./link.ts";
import { flatFields, redisFact, SAVING, sentinelFact } from "./replies.ts";
import { listen, type SentinelEvent } from "./sentinel-events.ts";

interface Member {
  pod: PodFact;
  readonly ip: string;
  readonly redis: Link | undefined;
  readonly sentinel: Link | undefined;
  readonly events: Link | undefined;
  lastRedis: RedisUp | undefined;
  orphanSince: number | undefined;
}

/** A pod of the same workload without our labels, as the API server tells it. */
export type OutsiderPod = Omit<OutsiderFact, "redis" | "open">;

interface Outsider {
  readonly address: Address;
  readonly link: Link;
  open: boolean;
}

/** A redis whose pod object is gone is watched on for so long, ms: a forced deletion leaves it running for a while. */
const ORPHAN_MS = 60_000;
const CONFIG_NAMES = [BOOT_REPORT_PARAMETER, "min-replicas-to-write", "min-replicas-max-lag", ...SAVING];

export class GroupLinks {
  readonly #members = new Map<string, Member>();
  readonly #outsiders = new Map<string, Outsider>();
  readonly #masterName: string;
  readonly #wake: () => void;
  readonly #onEvent: (event: SentinelEvent) => void;
  readonly #tls: (secretName: string) => ConnectionOptions | undefined;
  #password: string | undefined;

  constructor(options: {
    masterName: string;
    wake: () => void;
    onEvent: (event: SentinelEvent) => void;
    /** for a server with the certificate of this Secret; undefined: not known yet */
    tls?: (secretName: string) => ConnectionOptions | undefined;
  }) {
    this.#masterName = options.masterName;
    this.#wake = options.wake;
    this.#onEvent = options.onEvent;
    this.#tls = options.tls ?? (() => undefined);
  }

  /** Opens connections to new pods, closes those of pods that are gone; a changed password reopens all. */
  sync(pods: readonly PodFact[], password: string | undefined): void {
    if (password !== this.#password) {
      this.close();
      this.#password = password;
    }
    const present = new Set(pods.map((pod) => pod.uid));
    for (const [uid, member] of this.#members) {
      if (present.has(uid)) continue;
      member.orphanSince ??= Date.now();
      const alive = member.redis?.state === "up" || member.redis?.state === "connecting";
      const reused = pods.some((pod) => pod.ip === member.ip);
      if (!alive || reused || Date.now() - member.orphanSince > ORPHAN_MS) this.#drop(uid, member);
    }
    for (const pod of pods) {
      const known = this.#members.get(pod.uid);
      // A pod whose sandbox was made anew (its node was rebooted) keeps its UID and has another address.
      const moved = known !== undefined && pod.ip !== undefined && pod.ip !== known.ip;
      if (known !== undefined && moved) this.#drop(pod.uid, known);
      if (known !== undefined && !moved) known.pod = pod;
      else if (pod.ip !== undefined && !pod.ended) this.#members.set(pod.uid, this.#open(pod, pod.ip));
    }
  }

  /** Reads all members at once. Never rejects; a silent server costs one bound at most, and nothing while it stays silent. */
  async read(pods: readonly PodFact[]): Promise<MemberFact[]> {
    const withoutLinks = pods
      .filter((pod) => !this.#members.has(pod.uid))
      .map((pod) => ({ pod, redis: undefined, sentinel: undefined }));
    const linked = await Promise.all(
      [...this.#members.values()].map(async (member) => ({
        pod: member.orphanSince === undefined ? member.pod : { ...member.pod, orphan: true, terminating: true },
        redis: await this.#readRedis(member),
        sentinel: await this.#readSentinel(member),
      })),
    );
    return [...linked, ...withoutLinks];
  }

  /** Opens, reads and closes the links to un-injected pods; the list is empty nearly always. */
  async readOutsiders(pods: readonly OutsiderPod[]): Promise<OutsiderFact[]> {
    const present = new Set(pods.map(({ uid }) => uid));
    for (const [uid, { link }] of this.#outsiders) {
      if (present.has(uid)) continue;
      link.close();
      this.#outsiders.delete(uid);
    }
    return Promise.all(
      pods.map(async (pod) => {
        let outsider = this.#outsiders.get(pod.uid);
        if (outsider === undefined) {
          const { ip, port } = pod.address;
          const link = new Link({ host: ip, port, password: this.#password, name: "redis-ha", onChange: this.#wake });
          outsider = { address: pod.address, link, open: this.#password === undefined };
          this.#outsiders.set(pod.uid, outsider);
        }
        const { link } = outsider;
        const [info, config] = await link.all([["INFO"], ["CONFIG", "GET", "requirepass"]]);
        const redis = info instanceof Error ? undefined : redisFact(info, []);
        outsider.open = flatFields(config).get("requirepass") === "";
        const state = link.state === "up" || link.state === "connecting" ? "unknown" : link.state;
        return { ...pod, redis: redis ?? { state, forMs: link.forMs, last: undefined }, open: outsider.open };
      }),
    );
  }

  outsiderLinkAt(address: Address): { link: Link; open: boolean } | undefined {
    return [...this.#outsiders.values()].find((one) => one.address.ip === address.ip && one.address.port === address.port);
  }

  redisLink(uid: string): Link | undefined {
    return this.#members.get(uid)?.redis;
  }

  sentinelLink(uid: string): Link | undefined {
    return this.#members.get(uid)?.sentinel;
  }

  /** The link to whoever has this address now, for cutting the connections of a former master. */
  redisLinkAt(address: Address): Link | undefined {
    for (const member of this.#members.values()) {
      if (member.ip === address.ip && member.redis?.options.port === address.port) return member.redis;
    }
    return undefined;
  }

  get masterName(): string {
    return this.#masterName;
  }

  get password(): string | undefined {
    return this.#password;
  }

  close(): void {
    for (const [uid, member] of this.#members) this.#drop(uid, member);
    for (const { link } of this.#outsiders.values()) link.close();
    this.#outsiders.clear();
  }

  #open(pod: PodFact, ip: string): Member {
    const { tlsSecret } = pod.settings;
    const tls = tlsSecret === undefined ? {} : { tls: () => this.#tls(tlsSecret) };
    const common = { host: ip, password: this.#password, onChange: this.#wake, ...tls };
    return {
      pod,
      ip,
      redis: pod.hasRedis ? new Link({ ...common, port: pod.port, name: "redis-ha" }) : undefined,
      sentinel: pod.hasSentinel ? new Link({ ...common, port: SENTINEL_PORT, name: "redis-ha" }) : undefined,
      events: pod.hasSentinel ? listen({ ...common, port: SENTINEL_PORT, onEvent: this.#onEvent }) : undefined,
      lastRedis: undefined,
      orphanSince: undefined,
    };
  }

  #drop(uid: string, member: Member): void {
    member.redis?.close();
    member.sentinel?.close();
    member.events?.close();
    this.#members.delete(uid);
  }

  async #readRedis(member: Member): Promise<RedisFact | undefined> {
    const link = member.redis;
    if (link === undefined) return undefined;
    if (link.state === "up") {
      const names = member.pod.settings.tlsSecret === undefined ? CONFIG_NAMES : [...CONFIG_NAMES, TLS_REPLICATION];
      const [info, config] = await link.all([["INFO"], ["CONFIG", "GET", ...names]]);
      // Half an answer would read as "no boot report": not even the right process could be told then.
      const fact = info instanceof Error || config instanceof LinkError ? undefined : redisFact(info, config);
      if (fact !== undefined) {
        member.lastRedis = fact;
        return fact;
      }
      if (info instanceof Error && /^(NOAUTH|NOPERM|WRONGPASS)/.test(info.message))
        return { state: "denied", forMs: link.forMs, last: member.lastRedis };
    }
    const state = link.state === "up" || link.state === "connecting" ? "unknown" : link.state;
    return { state, forMs: link.forMs, last: member.lastRedis };
  }

  async #readSentinel(member: Member): Promise<SentinelFact | undefined> {
    const link = member.sentinel;
    if (link === undefined) return undefined;
    if (link.state === "up") {
      const name = this.#masterName;
      const [debug, ...replies] = await link.all([
        ["SENTINEL", "DEBUG"],
        ["SENTINEL", "MYID"],
        ["INFO", "sentinel"],
        ["SENTINEL", "MASTER", name],
        ["SENTINEL", "SENTINELS", name],
        ["SENTINEL", "REPLICAS", name],
        ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name],
      ]);
      const [myId, info, master, sentinels, replicas, current] = replies;
      // Only its own word says that it does not watch the group; a late answer is none, and a list without peers would be believed.
      const idle = master instanceof Error && /No such master/i.test(master.message);
      const read = (idle ? [myId, info] : replies).every((reply) => !(reply instanceof Error));
      if (read) return sentinelFact(myId, info, master, sentinels, replicas, debug, current);
    }
    return { state: link.state === "up" || link.state === "connecting" ? "unknown" : link.state, forMs: link.forMs };
  }
}
