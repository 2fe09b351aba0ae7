/** The peers (peers/README.md): bare Sentinel, whose clients ask the sentinels, and a haproxy in front of the same group. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PATH } from "../../kube/paths.ts";
import type { Pod, Service } from "../../kube/types.ts";
import { REDIS_PORT, SENTINEL_PORT } from "../../model/names.ts";
import type { Bed } from "../../test/e2e/lib/bed.ts";
import type { Answer, ClientPod, Target } from "../../test/e2e/lib/client-pod.ts";
import { isReady } from "../../test/e2e/lib/group.ts";
import type { MasterSeen, Seat, Stack } from "./stack.ts";

const MANIFEST = join(import.meta.dirname, "peers", "peers.yaml");
const NAME = "mymaster";
const MEMBERS = ["redis-0", "redis-1", "redis-2"];

export interface PeerClients {
  readonly sentinel: ClientPod;
  readonly haproxy: ClientPod;
}

export class Peers implements Stack {
  readonly bed: Bed;
  readonly namespace: string;
  readonly cluster: string;
  readonly seats: readonly Seat[];
  readonly selector = "app=redis";
  readonly workload = "statefulset/redis";
  readonly masterMayReturn = true;
  readonly #password = `p${randomBytes(12).toString("hex")}`;
  readonly #client: ClientPod;

  constructor(bed: Bed, namespace: string, cluster: string, clients: PeerClients) {
    this.bed = bed;
    this.namespace = namespace;
    this.cluster = cluster;
    this.#client = clients.haproxy;
    const sentinels = MEMBERS.map((host) => ({ host, port: SENTINEL_PORT }));
    this.seats = [
      { subject: "sentinel", client: clients.sentinel, where: { sentinels, masterName: NAME, password: this.#password } },
      { subject: "haproxy", client: clients.haproxy, where: { host: "haproxy", port: REDIS_PORT, password: this.#password } },
    ];
  }

  /** Applies the manifest, haproxy on the given node; `whole` tells when all is there. */
  async deploy(image: string, node: string): Promise<void> {
    const text = readFileSync(MANIFEST, "utf8")
      .replaceAll("PASSWORD_VALUE", this.#password)
      .replaceAll("image: IMAGE", `image: ${image}`)
      .replaceAll("nodeName: NODE", `nodeName: ${node}`);
    await this.bed.kubectl(["-n", this.namespace, "apply", "-f", "-"], { input: text });
  }

  /** The master that at least two sentinels name. */
  async master(): Promise<MasterSeen> {
    const named = await Promise.all(
      MEMBERS.map(async (host) => {
        const answers = await this.#sentinel(host, [["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]]).catch(() => []);
        return listOf(answers[0])[0];
      }),
    );
    const address = named.find((one, at) => one !== undefined && named.indexOf(one) !== at);
    if (address === undefined) throw new Error(`no majority of the sentinels names a master: ${named.join(", ")}`);
    const services = await Promise.all(
      MEMBERS.map(async (name) => await this.bed.kube.get<Service>(PATH.services(this.namespace, name))),
    );
    const name = services.find(({ spec }) => spec?.clusterIP === address)?.metadata?.name;
    if (name === undefined) throw new Error(`the sentinels name ${address}, which is no member's address`);
    const pod = await this.bed.kube.get<Pod>(PATH.pods(this.namespace, name));
    return { pod: name, node: pod.spec?.nodeName ?? "" };
  }

  async whole(): Promise<void> {
    const { items } = await this.bed.kube.list<Pod>(PATH.pods(this.namespace), { query: { labelSelector: this.selector } });
    const ready = items.filter((pod) => isReady(pod) && pod.metadata?.deletionTimestamp === undefined);
    if (ready.length !== MEMBERS.length) throw new Error(`${ready.length} pods of ${MEMBERS.length} are Ready`);
    const master = await this.master();
    await Promise.all(MEMBERS.map(async (host) => await this.#memberIsRight(host, host === master.pod)));
    for (const { client, where, subject } of this.seats) {
      if (subject === "haproxy") await client.command(where as Target, "SET", "bench:writable", "yes");
    }
  }

  async #memberIsRight(host: string, isMaster: boolean): Promise<void> {
    const redis = { host, port: REDIS_PORT, password: this.#password };
    const [info] = await this.#client.commands(redis, [["INFO", "replication"]]);
    const text = info !== undefined && "reply" in info ? String(info.reply) : "";
    const right = isMaster
      ? text.includes("role:master") && text.match(/^slave\d+:.*state=online/gm)?.length === MEMBERS.length - 1
      : text.includes("role:slave") && text.includes("master_link_status:up");
    if (!right) throw new Error(`${host} is ${isMaster ? "no master with both replicas" : "no replica with its link up"}`);
    const answers = await this.#sentinel(host, [["SENTINEL", "MASTER", NAME]]);
    const list = listOf(answers[0]);
    const field = (name: string): string | undefined => list[list.indexOf(name) + 1];
    if (field("flags") !== "master") throw new Error(`the sentinel of ${host} sees the master as ${field("flags")}`);
    if (field("num-other-sentinels") !== "2" || field("num-slaves") !== "2") {
      throw new Error(
        `the sentinel of ${host} knows ${field("num-other-sentinels")} sentinels and ${field("num-slaves")} replicas`,
      );
    }
  }

  async handover(): Promise<void> {
    const answers = await this.#sentinel(MEMBERS[0] ?? "", [["SENTINEL", "FAILOVER", NAME]]);
    const [answer] = answers;
    if (answer === undefined || "error" in answer) throw new Error(`SENTINEL FAILOVER: ${answer?.error}`);
  }

  async steps(): Promise<undefined> {
    return undefined;
  }

  async #sentinel(host: string, commands: readonly (readonly string[])[]): Promise<Answer[]> {
    return await this.#client.commands({ host, port: SENTINEL_PORT }, commands);
  }
}

const listOf = (answer: Answer | undefined): string[] =>
  answer !== undefined && "reply" in answer && Array.isArray(answer.reply) ? answer.reply.map(String) : [];
