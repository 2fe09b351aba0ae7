/**
 * A model of Redis Sentinel for one group, function by function after redis 7 `src/sentinel.c`, whose names stand in the comments. What is watched and when
 * is here; the failover is in sentinel-failover.ts, the commands in sentinel-commands.ts.
 */
import type { Network, Site } from "../world/network.ts";
import type { Proc } from "../world/world.ts";
import { executeSentinel } from "./sentinel-commands.ts";
import { HELLO, PERIOD } from "./sentinel-constants.ts";
import { Failover } from "./sentinel-failover.ts";
import { Instance, Line } from "./sentinel-instance.ts";
import { type Connection, Server } from "./server.ts";

const MAX_PENDING = 100;

/** What stands in a sentinel's file: a restarted one goes on with it. */
export interface SentinelFile {
  readonly myId: string;
  readonly currentEpoch: number;
  readonly master:
    | (MasterSettings & {
        readonly ip: string;
        readonly port: number;
        readonly configEpoch: number;
        readonly leaderEpoch: number;
        readonly replicas: readonly { ip: string; port: number }[];
        readonly sentinels: readonly { ip: string; port: number; runId: string }[];
      })
    | undefined;
}

export interface MasterSettings {
  quorum: number;
  downAfter: number;
  failoverTimeout: number;
  parallelSyncs: number;
}

/** The watched master: sentinelRedisInstance with SRI_MASTER. */
export class WatchedMaster extends Instance {
  configEpoch = 0;
  /** auth-pass, for the master and its replicas; it goes with REMOVE */
  authPass: string | undefined;
  slaves: Instance[] = [];
  sentinels: Instance[] = [];
  readonly settings: MasterSettings;
  readonly failover: Failover;

  constructor(sentinel: SentinelServer, ip: string, port: number, settings: MasterSettings) {
    super("master", ip, port, sentinel.now);
    this.settings = settings;
    this.failover = new Failover(sentinel, this);
  }
}

export class SentinelServer extends Server {
  readonly name: string;
  /** what the group is called */
  readonly group: string;
  readonly myId: string;
  currentEpoch: number;
  master: WatchedMaster | undefined;
  tilt = false;
  /** SHUTDOWN */
  onShutdown: () => void = () => undefined;
  /** a vote was given */
  onVote: (leader: string) => void = () => undefined;
  /** SENTINEL DEBUG ping-period */
  pingPeriod = PERIOD.ping;
  /** SENTINEL DEBUG info-period */
  infoPeriod = PERIOD.info;
  #tiltStart = 0;
  #previous: number;

  constructor(options: {
    name: string;
    group: string;
    proc: Proc;
    network: Network;
    site: Site;
    password: string | undefined;
    file: SentinelFile;
  }) {
    super(options.proc, options.network, options.site, 26379, options.password);
    this.name = options.name;
    this.group = options.group;
    this.myId = options.file.myId;
    this.currentEpoch = options.file.currentEpoch;
    this.#previous = this.now;
    const known = options.file.master;
    if (known !== undefined) {
      this.monitor(known.ip, known.port, known);
      const master = this.master;
      if (master !== undefined) {
        // The boot script writes it into every file.
        master.authPass = this.password;
        master.configEpoch = known.configEpoch;
        master.leaderEpoch = known.leaderEpoch;
        for (const { ip, port } of known.replicas) this.addSlave(master, ip, port);
        for (const { ip, port, runId } of known.sentinels) this.#addSentinel(master, ip, port, runId);
      }
    }
    this.listen();
    // server.hz is drawn anew at every tick (sentinelTimer).
    this.proc.every(
      () => 1000 / this.proc.world.random.integer(10, 19),
      () => this.#tick(),
    );
  }

  /** mstime() */
  get now(): number {
    return this.proc.wallMs;
  }

  /** sentinelFlushConfig: what the file holds now */
  get file(): SentinelFile {
    const { master } = this;
    return {
      myId: this.myId,
      currentEpoch: this.currentEpoch,
      master:
        master === undefined
          ? undefined
          : {
              ...master.settings,
              ip: master.ip,
              port: master.port,
              configEpoch: master.configEpoch,
              leaderEpoch: master.leaderEpoch,
              replicas: master.slaves.map(({ ip, port }) => ({ ip, port })),
              sentinels: master.sentinels.map(({ ip, port, runId }) => ({ ip, port, runId })),
            },
    };
  }

  monitor(ip: string, port: number, { quorum, downAfter, failoverTimeout, parallelSyncs }: MasterSettings): void {
    this.master = new WatchedMaster(this, ip, port, { quorum, downAfter, failoverTimeout, parallelSyncs });
  }

  /** sentinelEvent */
  event(channel: string, text: string): void {
    if (channel !== "+slave" && !channel.startsWith("+slave-reconf")) this.proc.world.tell(this.name, `${channel} ${text}`);
    this.publish(channel, text);
  }

  /** `%@` */
  told(one: Instance): string {
    const { master } = this;
    if (master === undefined || one === master) return `master ${this.group} ${one.ip} ${one.port}`;
    const name = one.kind === "sentinel" ? one.runId : `${one.ip}:${one.port}`;
    return `${one.kind} ${name} ${one.ip} ${one.port} @ ${this.group} ${master.ip} ${master.port}`;
  }

  addSlave(master: WatchedMaster, ip: string, port: number): Instance {
    const slave = new Instance("slave", ip, port, this.now);
    master.slaves.push(slave);
    this.event("+slave", this.told(slave));
    return slave;
  }

  #addSentinel(master: WatchedMaster, ip: string, port: number, runId: string): Instance {
    const peer = new Instance("sentinel", ip, port, this.now);
    peer.runId = runId;
    master.sentinels.push(peer);
    return peer;
  }

  protected execute(connection: Connection, command: readonly string[]): unknown {
    return executeSentinel(this, connection, command);
  }

  /** sentinelTimer */
  #tick(): void {
    const delta = this.now - this.#previous;
    if (delta < 0 || delta > PERIOD.tiltTrigger) {
      this.tilt = true;
      this.#tiltStart = this.now;
      this.event("+tilt", "#tilt mode entered");
    }
    this.#previous = this.now;
    const { master } = this;
    if (master === undefined) return;
    this.#handle(master, master);
    for (const slave of [...master.slaves]) this.#handle(slave, master);
    for (const peer of [...master.sentinels]) this.#handle(peer, master);
    if (this.master === master) master.failover.switchWhenDone();
  }

  /** sentinelHandleRedisInstance */
  #handle(one: Instance, master: WatchedMaster): void {
    if (one.gone) return;
    this.#reconnect(one, master);
    this.#sendPeriodic(one, master);
    if (this.tilt) {
      if (this.now - this.#tiltStart < PERIOD.tilt) return;
      this.tilt = false;
      this.event("-tilt", "#tilt mode exited");
    }
    this.#checkSubjectivelyDown(one, master);
    if (one === master) master.failover.step();
  }

  /** sentinelReconnectInstance */
  #reconnect(one: Instance, master: WatchedMaster): void {
    const { now } = this;
    if (!one.disconnected || now - one.lastReconnTime < this.pingPeriod) return;
    one.lastReconnTime = now;
    if (one.cc === undefined) {
      const line = this.#line(one, master, () => {
        if (one.cc === line) one.cc = undefined;
        one.disconnected = true;
      });
      one.cc = line;
      one.ccConnTime = now;
      this.#ping(one);
    }
    if (one.kind !== "sentinel" && one.pc === undefined) {
      const line = this.#line(one, master, () => {
        if (one.pc === line) one.pc = undefined;
        one.disconnected = true;
      });
      one.pc = line;
      one.pcConnTime = now;
      line.onPush = (_, text) => {
        one.pcLastActivity = this.now;
        this.hello(text);
      };
      line.send(["SUBSCRIBE", HELLO], (reply) => {
        one.pcLastActivity = this.now;
        // A refused SUBSCRIBE ends the connection (hiredis), and it is made anew with every ping period.
        if (!(reply instanceof Error) || one.pc !== line) return;
        line.close();
        one.pc = undefined;
        one.disconnected = true;
      });
    }
    if (one.cc !== undefined && (one.kind === "sentinel" || one.pc !== undefined)) one.disconnected = false;
  }

  /** sentinelSendAuthIfNeeded: sentinel-pass for peers, auth-pass for the master and its replicas */
  #line(one: Instance, master: WatchedMaster, onClose: () => void): Line {
    const password = one.kind === "sentinel" ? this.password : master.authPass;
    return new Line(this.network, this.proc, one.ip, one.port, password, onClose);
  }

  /** sentinelSendPing */
  #ping(one: Instance): void {
    const { now } = this;
    one.cc?.send(["PING"], (reply) => {
      const text = reply instanceof Error ? reply.message : String(reply);
      if (/^(PONG|LOADING|MASTERDOWN)/.test(text)) {
        one.lastAvailTime = this.now;
        one.actPingTime = 0;
      }
      one.lastPongTime = this.now;
    });
    one.lastPingTime = now;
    if (one.actPingTime === 0) one.actPingTime = now;
  }

  /** sentinelSendPeriodicCommands */
  #sendPeriodic(one: Instance, master: WatchedMaster): void {
    const { now } = this;
    const line = one.cc;
    if (one.disconnected || line === undefined || line.pending >= MAX_PENDING) return;
    const closely = one.kind === "slave" && (master.oDown || master.failover.inProgress || one.masterLinkDownTime !== 0);
    const infoPeriod = closely ? 1000 : this.infoPeriod;
    const pingPeriod = Math.min(master.settings.downAfter, this.pingPeriod);
    if (one.kind !== "sentinel" && (one.infoRefresh === 0 || now - one.infoRefresh > infoPeriod)) {
      line.send(["INFO"], (reply) => {
        if (typeof reply === "string" && !one.gone && this.master === master) master.failover.refresh(one, reply);
      });
    }
    if (now - one.lastPongTime > pingPeriod && now - one.lastPingTime > pingPeriod / 2) this.#ping(one);
    if (now - one.lastPubTime > PERIOD.publish) {
      const { ip, port } = master.failover.currentAddress;
      const text = [this.site.ip, 26379, this.myId, this.currentEpoch, this.group, ip, port, master.configEpoch].join(",");
      line.send(["PUBLISH", HELLO, text], (reply) => {
        if (!(reply instanceof Error)) one.lastPubTime = this.now;
      });
      // One at a time in flight is enough for the model: the real one repeats it every tick until it is answered.
      one.lastPubTime = Math.max(one.lastPubTime, now - PERIOD.publish + 100);
    }
  }

  /** sentinelCheckSubjectivelyDown */
  #checkSubjectivelyDown(one: Instance, master: WatchedMaster): void {
    const { now } = this;
    const { downAfter } = master.settings;
    const elapsed = one.actPingTime !== 0 ? now - one.actPingTime : one.disconnected ? now - one.lastAvailTime : 0;
    const waits = one.actPingTime !== 0 && now - one.actPingTime > downAfter / 2 && now - one.lastPongTime > downAfter / 2;
    if (one.cc !== undefined && now - one.ccConnTime > PERIOD.reconnect && waits) {
      one.cc.close();
      one.cc = undefined;
      one.disconnected = true;
    }
    if (one.pc !== undefined && now - one.pcConnTime > PERIOD.reconnect && now - one.pcLastActivity > PERIOD.publish * 3) {
      one.pc.close();
      one.pc = undefined;
      one.disconnected = true;
    }
    const saysSlave =
      one.kind === "master" && one.roleReported === "slave" && now - one.roleReportedTime > downAfter + this.infoPeriod * 2;
    if (elapsed > downAfter || saysSlave) {
      if (one.sDown) return;
      one.sDown = true;
      one.sDownSince = now;
      this.event("+sdown", this.told(one));
    } else if (one.sDown) {
      one.sDown = false;
      this.event("-sdown", this.told(one));
    }
  }

  /** sentinelProcessHelloMessage */
  hello(text: string): void {
    const token = text.split(",");
    const { master } = this;
    const [ip = "", port = "", runId = "", epoch = "", group = "", masterIp = "", masterPort = "", configEpoch = ""] = token;
    if (token.length !== 8 || master === undefined || group !== this.group || runId === this.myId) return;
    let peer = master.sentinels.find((one) => one.ip === ip && one.port === Number(port) && one.runId === runId);
    if (peer === undefined) {
      const moved = master.sentinels.find((one) => one.runId === runId);
      const other = master.sentinels.find((one) => one.ip === ip && one.port === Number(port));
      if (moved !== undefined) {
        this.#removeSentinel(master, moved);
        this.event("+sentinel-address-switch", `${this.told(master)} ip ${ip} port ${port} for ${runId}`);
      } else if (other !== undefined) {
        this.event("+sentinel-invalid-addr", this.told(other));
        this.#removeSentinel(master, other);
      }
      peer = this.#addSentinel(master, ip, Number(port), runId);
      if (moved === undefined) this.event("+sentinel", this.told(peer));
    }
    if (Number(epoch) > this.currentEpoch) {
      this.currentEpoch = Number(epoch);
      this.event("+new-epoch", String(this.currentEpoch));
    }
    if (master.configEpoch >= Number(configEpoch)) return;
    master.configEpoch = Number(configEpoch);
    if (master.ip === masterIp && master.port === Number(masterPort)) return;
    this.event("+config-update-from", this.told(peer));
    this.event("+switch-master", `${this.group} ${master.ip} ${master.port} ${masterIp} ${masterPort}`);
    this.resetAndChangeAddress(master, masterIp, Number(masterPort));
  }

  #removeSentinel(master: WatchedMaster, peer: Instance): void {
    peer.drop();
    master.sentinels = master.sentinels.filter((one) => one !== peer);
  }

  /** sentinelResetMaster */
  reset(master: WatchedMaster, keepSentinels: boolean): void {
    const { now } = this;
    for (const slave of master.slaves) slave.drop();
    master.slaves = [];
    if (!keepSentinels) {
      for (const peer of master.sentinels) peer.drop();
      master.sentinels = [];
    }
    master.hangUp();
    master.sDown = false;
    master.oDown = false;
    master.leader = undefined;
    master.failover.clear();
    master.runId = "";
    master.actPingTime = now;
    master.lastPingTime = 0;
    master.lastAvailTime = now;
    master.lastPongTime = now;
    master.roleReportedTime = now;
    master.roleReported = "master";
  }

  /** sentinelResetMasterAndChangeAddress: the former address stays as a slave. */
  resetAndChangeAddress(master: WatchedMaster, ip: string, port: number): void {
    const slaves = master.slaves
      .filter((one) => one.ip !== ip || one.port !== port)
      .map((one) => ({ ip: one.ip, port: one.port }));
    if (master.ip !== ip || master.port !== port) slaves.push({ ip: master.ip, port: master.port });
    this.reset(master, true);
    master.ip = ip;
    master.port = port;
    master.sDownSince = 0;
    master.oDownSince = 0;
    for (const one of slaves) this.addSlave(master, one.ip, one.port);
  }
}
