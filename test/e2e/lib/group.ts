/** A group of redis-ha as an outsider sees it: Kubernetes objects, and what every redis and sentinel answers. Nothing is taken from the handlers. */
import { PATH } from "../../../kube/paths.ts";
import type { Pod, Secret, Service } from "../../../kube/types.ts";
import {
  LABEL,
  MARK,
  masterName,
  masterServiceName,
  REDIS_PORT,
  SECRET_KEY,
  SENTINEL_PORT,
  secretName,
} from "../../../model/names.ts";
import { type Timeline, unpackTimelines } from "../../../model/timeline.ts";
import type { Bed } from "./bed.ts";
import { type Answer, ClientFailed, type ClientPod, type Target } from "./client-pod.ts";

/** So long a group may take to be whole, ms: a sentinel that a busy machine has stalled for two seconds does nothing for thirty. */
export const WHOLE_MS = 90_000;

/** What a redis says of itself. */
export interface RedisSeen {
  readonly pod: string;
  readonly ip: string;
  readonly role: string;
  readonly master: string;
  readonly linkUp: boolean;
  /** addresses of attached replicas */
  readonly replicas: readonly string[];
  readonly problem: string | undefined;
}

/** What a sentinel says of the group. */
export interface SentinelSeen {
  readonly pod: string;
  readonly quorum: string;
  readonly master: string;
  readonly peers: number;
  readonly replicas: number;
  readonly flags: string;
  /** its clock made a jump: for 30 s it judges nothing */
  readonly tilt: boolean;
}

export interface Expected {
  /** attached replicas */
  readonly replicas: number;
  readonly sentinels: number;
}

export class Group {
  readonly bed: Bed;
  readonly client: ClientPod;
  readonly namespace: string;
  readonly cluster: string;
  /** of a group with TLS: the CA that its clients trust (PEM) */
  authority: string | undefined;
  #password: string | undefined;

  constructor(bed: Bed, client: ClientPod, namespace: string, cluster = "cache") {
    this.bed = bed;
    this.client = client;
    this.namespace = namespace;
    this.cluster = cluster;
  }

  /** Living pods of the group, the terminating ones too where asked. */
  async pods(options: { terminating?: boolean } = {}): Promise<Pod[]> {
    const { items } = await this.bed.kube.list<Pod>(PATH.pods(this.namespace), {
      query: { labelSelector: `${LABEL.cluster}=${this.cluster}` },
    });
    return options.terminating === true ? items : items.filter((pod) => pod.metadata?.deletionTimestamp === undefined);
  }

  async service(): Promise<Service> {
    return await this.bed.kube.get<Service>(PATH.services(this.namespace, masterServiceName(this.cluster)));
  }

  /** The one pod that the master Service's selector names. */
  async master(): Promise<{ name: string; ip: string; pod: Pod }> {
    const selector = (await this.service()).spec?.selector ?? {};
    const labelSelector = Object.entries(selector)
      .map(([key, value]) => `${key}=${value}`)
      .join(",");
    const { items } = await this.bed.kube.list<Pod>(PATH.pods(this.namespace), { query: { labelSelector } });
    const [pod] = items;
    const name = pod?.metadata?.name;
    const ip = pod?.status?.podIP;
    if (items.length !== 1 || pod === undefined || name === undefined || ip === undefined) {
      throw new Error(`the selector of the master Service (${labelSelector}) names ${items.length} pods with an address`);
    }
    return { name, ip, pod };
  }

  /** How many masters there were before, by the record on the Service. */
  async history(): Promise<{ pod: string; reason: string; epoch: number }[]> {
    return JSON.parse((await this.service()).metadata?.annotations?.[MARK.history] ?? "[]") as never;
  }

  /** The accounts of the last changes of master that are kept on the Service, the newest first. */
  async timelines(): Promise<Timeline[]> {
    return unpackTimelines((await this.service()).metadata?.annotations?.[MARK.timelines]);
  }

  /** Why the present master is master, by the record on the Service. */
  async reason(): Promise<string> {
    const record: { reason?: string } = JSON.parse((await this.service()).metadata?.annotations?.[MARK.master] ?? "{}");
    return record.reason ?? "";
  }

  async password(): Promise<string> {
    if (this.#password === undefined) {
      const secret = await this.bed.kube.get<Secret>(PATH.secrets(this.namespace, secretName(this.cluster)));
      this.#password = Buffer.from(secret.data?.[SECRET_KEY] ?? "", "base64").toString();
    }
    return this.#password;
  }

  /** As an application writes it: the Service's DNS name and the password of the Secret. */
  async throughService(): Promise<Target> {
    const host = masterServiceName(this.cluster);
    return { host, port: REDIS_PORT, password: await this.password(), ...this.#tls(host) };
  }

  async at(ip: string, port = REDIS_PORT): Promise<Target> {
    // A certificate names Services, no addresses.
    return { host: ip, port, password: await this.password(), ...this.#tls(masterServiceName(this.cluster)) };
  }

  #tls(servername: string): Pick<Target, "tls"> {
    return this.authority === undefined ? {} : { tls: { ca: this.authority, servername } };
  }

  /** The history (master_replid) that a server writes now, and the one it goes on from: of a promoted server that of the master before it. */
  async histories(target: Target): Promise<{ now: string; before: string }> {
    const info = String(await this.client.command(target, "INFO", "replication"));
    const field = (name: string): string => new RegExp(`^${name}:(\\w+)`, "m").exec(info)?.[1] ?? "";
    return { now: field("master_replid"), before: field("master_replid2") };
  }

  async redises(): Promise<RedisSeen[]> {
    const pods = (await this.pods()).filter((pod) => pod.metadata?.labels?.[LABEL.redis] === "true");
    return await Promise.all(
      pods.map(async (pod) => {
        const ip = pod.status?.podIP ?? "";
        const [answer, problem] = await this.#ask(ip, REDIS_PORT, [["INFO", "replication"]]);
        const info = fields(answer?.[0]);
        const replicas = [...info]
          .filter(([key, value]) => /^slave\d+$/.test(key) && value.includes("state=online"))
          .map(([, value]) => /ip=([^,]+)/.exec(value)?.[1] ?? "");
        return {
          pod: pod.metadata?.name ?? "",
          ip,
          role: info.get("role") ?? "",
          master: info.get("master_host") ?? "",
          linkUp: info.get("master_link_status") === "up",
          replicas,
          problem,
        };
      }),
    );
  }

  async sentinels(): Promise<SentinelSeen[]> {
    const pods = (await this.pods()).filter((pod) => pod.metadata?.labels?.[LABEL.sentinel] === "true");
    const name = masterName(this.namespace, this.cluster);
    return await Promise.all(
      pods.map(async (pod) => {
        const questions = [
          ["SENTINEL", "CKQUORUM", name],
          ["SENTINEL", "MASTER", name],
          ["INFO", "sentinel"],
        ];
        const [answers, problem] = await this.#ask(pod.status?.podIP ?? "", SENTINEL_PORT, questions);
        const seen = pairs(answers?.[1]);
        return {
          pod: pod.metadata?.name ?? "",
          quorum: textOf(answers?.[0]) || (problem ?? ""),
          master: seen.get("ip") ?? "",
          peers: Number(seen.get("num-other-sentinels") ?? -1),
          replicas: Number(seen.get("num-slaves") ?? -1),
          flags: seen.get("flags") ?? "",
          tilt: /^sentinel_tilt:1/m.test(textOf(answers?.[2])),
        };
      }),
    );
  }

  /** The pods whose sentinel is in TILT. */
  async inTilt(): Promise<string[]> {
    return (await this.sentinels()).filter(({ tilt }) => tilt).map(({ pod }) => pod);
  }

  /** Throws unless the group can be used: writable through the Service, replicas attached, CKQUORUM ok on every sentinel. */
  async ready(expected: Expected): Promise<{ master: string }> {
    const [redises, sentinels, master] = await Promise.all([this.redises(), this.sentinels(), this.master()]);
    require_(sentinels.length === expected.sentinels, `${sentinels.length} sentinel pods of ${expected.sentinels}`);
    for (const { pod, quorum } of sentinels) require_(quorum.startsWith("OK"), `CKQUORUM on ${pod}: ${quorum}`);
    const seen = redises.find(({ ip }) => ip === master.ip);
    require_(seen?.role === "master", `${master.name} says ${seen?.problem ?? seen?.role}`);
    require_(seen?.replicas.length === expected.replicas, `${seen?.replicas.length} replicas attached of ${expected.replicas}`);
    await this.client.command(await this.throughService(), "SET", "e2e:writable", "yes");
    return { master: master.name };
  }

  /**
   * Throws unless everything about the group is as it should be when nothing has happened for a while. `lists: false`: the sentinels need not have heard of
   * every new replica and peer yet; they ask for replicas every 10 s only.
   */
  async whole(expected: Expected, { lists = true }: { lists?: boolean } = {}): Promise<{ master: string }> {
    const [redises, sentinels, master] = await Promise.all([this.redises(), this.sentinels(), this.master()]);
    require_(redises.length === expected.replicas + 1, `${redises.length} redis pods of ${expected.replicas + 1}`);
    const masters = redises.filter(({ role }) => role === "master");
    require_(masters.length === 1, `${masters.length} masters: ${masters.map(({ pod }) => pod).join(", ")}`);
    require_(masters[0]?.ip === master.ip, `the Service leads to ${master.name}, but ${masters[0]?.pod} is master`);
    for (const one of redises.filter(({ role }) => role !== "master")) {
      require_(one.role === "slave", `${one.pod} says ${one.problem ?? one.role}`);
      require_(one.master === master.ip && one.linkUp, `${one.pod} follows ${one.master}, link ${one.linkUp ? "up" : "down"}`);
    }
    for (const one of sentinels) {
      require_(one.master === master.ip, `sentinel ${one.pod} names ${one.master}, the master is ${master.ip}`);
      require_(one.flags === "master", `sentinel ${one.pod} sees the master as ${one.flags}`);
      if (!lists) continue;
      require_(one.peers === expected.sentinels - 1, `sentinel ${one.pod} knows ${one.peers} peers`);
      require_(one.replicas === expected.replicas, `sentinel ${one.pod} knows ${one.replicas} replicas`);
    }
    const unready = (await this.pods()).filter((pod) => !isReady(pod)).map((pod) => pod.metadata?.name);
    require_(unready.length === 0, `not Ready: ${unready.join(", ")}`);
    return await this.ready(expected);
  }

  async #ask(ip: string, port: number, questions: string[][]): Promise<[Answer[] | undefined, string | undefined]> {
    if (ip === "") return [undefined, "no address yet"];
    try {
      return [await this.client.commands(await this.at(ip, port), questions), undefined];
    } catch (error) {
      if (error instanceof ClientFailed) return [undefined, error.kind];
      throw error;
    }
  }
}

function require_(holds: boolean, problem: string): void {
  if (!holds) throw new Error(problem);
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

const textOf = (answer: Answer | undefined): string =>
  answer === undefined ? "" : "error" in answer ? answer.error : String(answer.reply);

/** The lines of INFO. */
function fields(answer: Answer | undefined): Map<string, string> {
  return new Map(
    textOf(answer)
      .split("\r\n")
      .map((line) => line.split(/:(.*)/s).slice(0, 2) as [string, string])
      .filter(([key, value]) => key !== "" && value !== undefined),
  );
}

/** A flat list of names and values, as SENTINEL MASTER answers. */
function pairs(answer: Answer | undefined): Map<string, string> {
  const list = answer !== undefined && "reply" in answer && Array.isArray(answer.reply) ? answer.reply.map(String) : [];
  const found = new Map<string, string>();
  for (let index = 0; index + 1 < list.length; index += 2) found.set(list[index] ?? "", list[index + 1] ?? "");
  return found;
}
