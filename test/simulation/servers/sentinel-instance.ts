/** What a sentinel keeps of one server that it watches: the links, the times and the flags of sentinel.c's sentinelRedisInstance and instanceLink. */
import { End, type Network } from "../world/network.ts";
import type { Proc } from "../world/world.ts";
import type { Answers, Commands } from "./protocol.ts";

export type Kind = "master" | "slave" | "sentinel";

export class Instance {
  readonly kind: Kind;
  ip: string;
  port: number;
  runId = "";
  gone = false;
  // instanceLink
  cc: Line | undefined;
  pc: Line | undefined;
  disconnected = true;
  ccConnTime = 0;
  pcConnTime = 0;
  pcLastActivity = 0;
  lastReconnTime = 0;
  actPingTime: number;
  lastPingTime = 0;
  lastAvailTime: number;
  lastPongTime: number;
  // sentinelRedisInstance
  lastPubTime: number;
  infoRefresh = 0;
  sDown = false;
  oDown = false;
  sDownSince = 0;
  oDownSince = 0;
  roleReported: Kind;
  roleReportedTime: number;
  // of a slave
  masterLinkDownTime = 0;
  slaveMasterHost: string | undefined;
  slaveMasterPort = 0;
  slaveMasterLinkUp = false;
  slaveConfChangeTime: number;
  slavePriority = 100;
  slaveOffset = 0;
  slaveReconfSentTime = 0;
  promoted = false;
  reconf: "" | "sent" | "inprog" | "done" = "";
  // of another sentinel
  masterDown = false;
  lastMasterDownReplyTime = 0;
  leader: string | undefined;
  leaderEpoch = 0;

  /** createSentinelRedisInstance */
  constructor(kind: Kind, ip: string, port: number, now: number) {
    this.kind = kind;
    this.ip = ip;
    this.port = port;
    this.actPingTime = now;
    this.lastAvailTime = now;
    this.lastPongTime = now;
    this.lastPubTime = now;
    this.roleReported = kind;
    this.roleReportedTime = now;
    this.slaveConfChangeTime = now;
  }

  /** instanceLinkCloseConnection of both */
  hangUp(): void {
    this.cc?.close();
    this.pc?.close();
    this.cc = undefined;
    this.pc = undefined;
    this.disconnected = true;
  }

  drop(): void {
    this.gone = true;
    this.hangUp();
  }
}

/** One asynchronous connection (hiredis): what is sent before it is up waits; answers come in order. */
export class Line {
  #end: End | undefined;
  #closed = false;
  #unsent: (readonly string[])[] = [];
  readonly #pending: ((reply: unknown) => void)[] = [];
  #dirty = false;
  readonly #proc: Proc;
  onPush: (channel: string, text: string) => void = () => undefined;

  constructor(network: Network, proc: Proc, ip: string, port: number, password: string | undefined, onClose: () => void) {
    this.#proc = proc;
    network.dial(proc, ip, port, (end) => {
      if (this.#closed) {
        if (end instanceof End) end.close();
        return;
      }
      if (!(end instanceof End)) {
        this.#closed = true;
        return onClose();
      }
      this.#end = end;
      end.send({ hello: { password, name: "sentinel" } } satisfies Commands);
      end.onMessage = (message) => this.#hear(message as Answers);
      end.onClose = () => {
        if (this.#closed) return;
        this.#closed = true;
        onClose();
      };
      this.#flush();
    });
  }

  get pending(): number {
    return this.#pending.length;
  }

  send(command: readonly string[], onReply: (reply: unknown) => void = () => undefined): void {
    if (this.#closed) return;
    this.#unsent.push(command);
    this.#pending.push(onReply);
    if (this.#dirty) return;
    this.#dirty = true;
    this.#proc.after(0, () => this.#flush());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#end?.close();
  }

  #flush(): void {
    this.#dirty = false;
    if (this.#end === undefined || this.#closed || this.#unsent.length === 0) return;
    this.#end.send({ commands: this.#unsent } satisfies Commands);
    this.#unsent = [];
  }

  #hear(message: Answers): void {
    if (this.#closed) return;
    for (const reply of message.replies ?? []) this.#pending.shift()?.(reply);
    if (message.push !== undefined) this.onPush(message.push.channel, message.push.text);
  }
}
