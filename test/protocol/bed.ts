/** A group of plain servers without Kubernetes and without our boot scripts: three redis, three sentinels, and the handlers' own links to them. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ActContext } from "../../handlers/act/context.ts";
import { GroupLinks } from "../../handlers/observe/group-links.ts";
import type { Link } from "../../handlers/observe/link.ts";
import { SentinelNews } from "../../handlers/observe/sentinel-news.ts";
import type { MemberFact, Monitored, PodFact, SentinelUp } from "../../model/facts.ts";
import { REDIS_PORT, SENTINEL_PORT } from "../../model/names.ts";
import { parseSettings } from "../../model/settings.ts";
import { Running } from "../boot/running.ts";
import { until } from "../boot/wait.ts";
import type { ServerBinary } from "../servers/install.ts";

export const NAME = "default.cache";
const PASSWORD = "handlers-password";

/**
 * passwords: requirepass everywhere. acl: the handlers are the default user with a password; sentinels log in to redis and to each other as users of their own
 * that may do no more than Sentinel's documentation says.
 */
export type Access = "passwords" | "acl";

/** redis.io/docs/latest/operate/oss_and_stack/management/sentinel, "Redis Access Control List authentication" */
const WATCHER =
  "allchannels +multi +slaveof +ping +exec +subscribe +config|rewrite +role +publish +info +client|setname +client|kill +script|kill";
const PEER =
  "allchannels +auth +client|getname +client|id +client|setname +command +hello +ping +role +sentinel|get-master-addr-by-name +sentinel|master +sentinel|myid +sentinel|replicas +sentinel|sentinels +sentinel|is-master-down-by-addr +info +publish +subscribe +psubscribe";

let beds = 0;

export class ProtocolBed {
  readonly #folder: string;
  readonly #network: string;
  readonly #binary: ServerBinary;
  readonly #access: Access;
  readonly #processes: Running[] = [];
  readonly #sentinels: Running[] = [];
  readonly #links: GroupLinks;
  /** what the sentinels' messages told */
  readonly news = new SentinelNews(NAME);

  private constructor(folder: string, binary: ServerBinary, access: Access) {
    this.#folder = folder;
    this.#binary = binary;
    this.#access = access;
    // Apart from those of test/boot, which may run at the same time.
    this.#network = `127.${10 + (process.pid % 240)}.${200 + ++beds}`;
    this.#links = new GroupLinks({ masterName: NAME, wake: () => undefined, onEvent: (event) => this.news.heard(event) });
  }

  /** Three servers, the first is master, and three sentinels that know each other and both replicas. */
  static async make(binary: ServerBinary, access: Access): Promise<ProtocolBed> {
    const bed = new ProtocolBed(await mkdtemp(join(tmpdir(), "redis-ha-protocol-")), binary, access);
    for (const number of [1, 2, 3]) {
      await bed.#startRedis(number);
      await bed.#startSentinel(number);
    }
    bed.#links.sync(
      [1, 2, 3].map((number) => bed.#pod(number)),
      PASSWORD,
    );
    await until(
      `a whole group of ${binary.name} ${binary.version}`,
      async () => {
        const members = await bed.read();
        return members.every(({ sentinel }) => {
          const master = sentinel?.state === "up" ? sentinel.master : undefined;
          return master?.sentinels.length === 2 && master.replicas.length === 2 && master.flags.join() === "master";
        });
      },
      20_000,
    );
    return bed;
  }

  /** All members by the handlers' own reading. */
  async read(): Promise<MemberFact[]> {
    return await this.#links.read([1, 2, 3].map((number) => this.#pod(number)));
  }

  /** What the acts get; only what the protocol needs. */
  get context(): ActContext {
    return { links: this.#links, leading: () => true, say: () => undefined } as unknown as ActContext;
  }

  sentinelLink(member: MemberFact): Link {
    const link = this.#links.sentinelLink(member.pod.uid);
    if (link === undefined) throw new Error(`no link to the sentinel of ${member.pod.name}`);
    return link;
  }

  redisLink(member: MemberFact): Link {
    const link = this.#links.redisLink(member.pod.uid);
    if (link === undefined) throw new Error(`no link to the redis of ${member.pod.name}`);
    return link;
  }

  signalSentinel(member: MemberFact, signal: NodeJS.Signals): void {
    this.#sentinels[Number(member.pod.name.slice(-1)) - 1]?.signal(signal);
  }

  async close(): Promise<void> {
    this.#links.close();
    for (const running of this.#processes) running.kill();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #ip(number: number): string {
    return `${this.#network}.${number}`;
  }

  #pod(number: number): PodFact {
    const { settings } = parseSettings({ "redis-ha.io/cluster": "cache" });
    if (settings === undefined) throw new Error("no settings");
    return {
      name: `cache-${number}`,
      uid: `uid-${number}`,
      ip: this.#ip(number),
      port: REDIS_PORT,
      node: undefined,
      instance: `i${number}`,
      role: "auto",
      hasRedis: true,
      hasSentinel: true,
      createdAt: 0,
      revision: "",
      terminating: false,
      graceMs: 30_000,
      ended: false,
      orphan: false,
      started: true,
      containerEnded: false,
      restarts: 0,
      nodeGoing: false,
      slot: number,
      roleLabel: undefined,
      hasGate: false,
      inSync: undefined,
      volume: undefined,
      settings,
      settingErrors: [],
    };
  }

  async #startRedis(number: number): Promise<void> {
    const ip = this.#ip(number);
    const acl = [`user watcher on >watcher-password ${WATCHER}`, `user follower on >follower-password +psync +replconf +ping`];
    const lines = [
      `bind ${ip}`,
      `port ${REDIS_PORT}`,
      `replica-announce-ip ${ip}`,
      "save ''",
      "repl-diskless-sync-delay 0",
      `requirepass ${PASSWORD}`,
      ...(this.#access === "acl" ? [...acl, "masteruser follower", "masterauth follower-password"] : [`masterauth ${PASSWORD}`]),
      ...(number === 1 ? [] : [`replicaof ${this.#ip(1)} ${REDIS_PORT}`]),
    ];
    this.#processes.push(await this.#start(`redis-${number}`, lines, []));
  }

  async #startSentinel(number: number): Promise<void> {
    const ip = this.#ip(number);
    const peers =
      this.#access === "acl"
        ? [`user peer on >peer-password ${PEER}`, "sentinel sentinel-user peer", "sentinel sentinel-pass peer-password"]
        : [`sentinel sentinel-pass ${PASSWORD}`];
    const auth =
      this.#access === "acl"
        ? [`sentinel auth-user ${NAME} watcher`, `sentinel auth-pass ${NAME} watcher-password`]
        : [`sentinel auth-pass ${NAME} ${PASSWORD}`];
    const lines = [
      `bind ${ip}`,
      `port ${SENTINEL_PORT}`,
      `requirepass ${PASSWORD}`,
      `sentinel announce-ip ${ip}`,
      `sentinel myid ${createHash("sha1").update(`${number}`).digest("hex")}`,
      ...peers,
      `sentinel monitor ${NAME} ${this.#ip(1)} ${REDIS_PORT} 2`,
      ...auth,
      // Nobody but the test changes the master.
      `sentinel down-after-milliseconds ${NAME} 60000`,
      `sentinel failover-timeout ${NAME} 10000`,
    ];
    const sentinel = await this.#start(`sentinel-${number}`, lines, ["--sentinel"]);
    this.#processes.push(sentinel);
    this.#sentinels.push(sentinel);
  }

  async #start(name: string, lines: readonly string[], words: readonly string[]): Promise<Running> {
    const home = join(this.#folder, name);
    await mkdir(home);
    const file = join(home, "server.conf");
    await writeFile(file, `${lines.join("\n")}\n`);
    return new Running(this.#binary.server, [file, ...words], home, { PATH: "/usr/bin:/bin" }, join(home, "log"));
  }
}

/** What a sentinel said of itself, and of the group. */
export function sentinelOf(member: MemberFact): SentinelUp & { master: Monitored } {
  const { sentinel } = member;
  if (sentinel?.state !== "up" || sentinel.master === undefined) throw new Error(`the sentinel of ${member.pod.name} is not up`);
  return { ...sentinel, master: sentinel.master };
}
