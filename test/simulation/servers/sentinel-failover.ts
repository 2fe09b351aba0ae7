/** One sentinel's part in a failover: what INFO tells, objectively down, votes, the election and the states after it (sentinel.c). */

import type { SentinelServer, WatchedMaster } from "./sentinel.ts";
import { PERIOD } from "./sentinel-constants.ts";
import type { Instance } from "./sentinel-instance.ts";

type State = "none" | "wait-start" | "select" | "send-noone" | "wait-promotion" | "reconf" | "update-config";

/** SENTINEL_MAX_DESYNC, SENTINEL_ELECTION_TIMEOUT, SENTINEL_SLAVE_RECONF_TIMEOUT, ms */
const DESYNC_MS = 1000;
const ELECTION_MS = 10_000;
const RECONF_MS = 10_000;

export class Failover {
  readonly #sentinel: SentinelServer;
  readonly #master: WatchedMaster;
  state: State = "none";
  inProgress = false;
  forced = false;
  promotedSlave: Instance | undefined;
  #epoch = 0;
  startTime = 0;
  #stateTime = 0;

  constructor(sentinel: SentinelServer, master: WatchedMaster) {
    this.#sentinel = sentinel;
    this.#master = master;
  }

  get #now(): number {
    return this.#sentinel.now;
  }

  /** sentinelGetCurrentMasterAddress */
  get currentAddress(): { ip: string; port: number } {
    const done = this.state === "reconf" || this.state === "update-config";
    return this.inProgress && this.promotedSlave !== undefined && done ? this.promotedSlave : this.#master;
  }

  /** sentinelResetMaster's part */
  clear(): void {
    this.state = "none";
    this.inProgress = false;
    this.forced = false;
    this.promotedSlave = undefined;
    this.startTime = 0;
    this.#stateTime = 0;
  }

  /** The master's part of sentinelHandleRedisInstance. */
  step(): void {
    this.#checkObjectivelyDown();
    const started = this.#startIfNeeded();
    if (started) this.#ask(true);
    this.#machine();
    this.#ask(false);
  }

  #event(channel: string, one: Instance = this.#master): void {
    this.#sentinel.event(channel, this.#sentinel.told(one));
  }

  #become(state: State): void {
    this.state = state;
    this.#stateTime = this.#now;
  }

  /** sentinelCheckObjectivelyDown */
  #checkObjectivelyDown(): void {
    const master = this.#master;
    const count = master.sDown ? 1 + master.sentinels.filter((one) => one.masterDown).length : 0;
    const down = master.sDown && count >= master.settings.quorum;
    if (down === master.oDown) return;
    master.oDown = down;
    if (down) master.oDownSince = this.#now;
    this.#event(down ? "+odown" : "-odown");
  }

  /** sentinelStartFailoverIfNeeded */
  #startIfNeeded(): boolean {
    const master = this.#master;
    if (!master.oDown || this.inProgress) return false;
    if (this.#now - this.startTime < master.settings.failoverTimeout * 2) return false;
    this.start();
    return true;
  }

  /** sentinelStartFailover */
  start(): void {
    const sentinel = this.#sentinel;
    this.inProgress = true;
    sentinel.currentEpoch += 1;
    this.#epoch = sentinel.currentEpoch;
    sentinel.event("+new-epoch", String(sentinel.currentEpoch));
    this.#event("+try-failover");
    this.startTime = this.#now + sentinel.proc.world.random.integer(0, DESYNC_MS - 1);
    this.#become("wait-start");
  }

  /** sentinelAskMasterStateToOtherSentinels */
  #ask(forced: boolean): void {
    const sentinel = this.#sentinel;
    const master = this.#master;
    for (const peer of master.sentinels) {
      const elapsed = this.#now - peer.lastMasterDownReplyTime;
      if (elapsed > PERIOD.ask * 5) {
        peer.masterDown = false;
        peer.leader = undefined;
      }
      if (!master.sDown || peer.disconnected || (!forced && elapsed < PERIOD.ask)) continue;
      const candidate = this.state === "none" ? "*" : sentinel.myId;
      const command = [
        "SENTINEL",
        "IS-MASTER-DOWN-BY-ADDR",
        master.ip,
        String(master.port),
        String(sentinel.currentEpoch),
        candidate,
      ];
      peer.cc?.send(command, (reply) => {
        if (!Array.isArray(reply)) return;
        peer.lastMasterDownReplyTime = this.#now;
        peer.masterDown = reply[0] === 1;
        if (reply[1] === "*") return;
        peer.leader = String(reply[1]);
        peer.leaderEpoch = Number(reply[2]);
      });
      // The real one asks again at every tick until it is answered; once in a while is enough for the model.
      peer.lastMasterDownReplyTime = Math.max(peer.lastMasterDownReplyTime, this.#now - PERIOD.ask + 200);
    }
  }

  /** sentinelVoteLeader */
  vote(epoch: number, runId: string): { leader: string | undefined; epoch: number } {
    const sentinel = this.#sentinel;
    const master = this.#master;
    if (epoch > sentinel.currentEpoch) {
      sentinel.currentEpoch = epoch;
      sentinel.event("+new-epoch", String(epoch));
    }
    if (master.leaderEpoch < epoch && sentinel.currentEpoch <= epoch) {
      master.leader = runId;
      master.leaderEpoch = sentinel.currentEpoch;
      sentinel.event("+vote-for-leader", `${runId} ${epoch}`);
      sentinel.onVote(runId);
      if (runId !== sentinel.myId) this.startTime = this.#now + sentinel.proc.world.random.integer(0, DESYNC_MS - 1);
    }
    return { leader: master.leader, epoch: master.leaderEpoch };
  }

  /** sentinelGetLeader */
  #leader(epoch: number): string | undefined {
    const sentinel = this.#sentinel;
    const master = this.#master;
    const counts = new Map<string, number>();
    for (const peer of master.sentinels) {
      if (peer.leader !== undefined && peer.leaderEpoch === sentinel.currentEpoch)
        counts.set(peer.leader, (counts.get(peer.leader) ?? 0) + 1);
    }
    const best = (): [string, number] | undefined => [...counts].sort((a, b) => b[1] - a[1])[0];
    const mine = this.vote(epoch, best()?.[0] ?? sentinel.myId);
    if (mine.leader !== undefined && mine.epoch === epoch) counts.set(mine.leader, (counts.get(mine.leader) ?? 0) + 1);
    const [winner, votes] = best() ?? [undefined, 0];
    const needed = Math.floor((master.sentinels.length + 1) / 2) + 1;
    return votes >= needed && votes >= master.settings.quorum ? winner : undefined;
  }

  /** sentinelFailoverStateMachine */
  #machine(): void {
    if (!this.inProgress) return;
    if (this.state === "wait-start") this.#waitStart();
    else if (this.state === "select") this.#select();
    else if (this.state === "send-noone") this.#sendNoOne();
    else if (this.state === "wait-promotion") {
      if (this.#now - this.#stateTime > this.#master.settings.failoverTimeout) this.#abort("-failover-abort-slave-timeout");
    } else if (this.state === "reconf") this.#reconfNext();
  }

  #waitStart(): void {
    const leader = this.#leader(this.#epoch);
    if (leader !== this.#sentinel.myId && !this.forced) {
      const patience = Math.min(ELECTION_MS, this.#master.settings.failoverTimeout);
      if (this.#now - this.startTime > patience) this.#abort("-failover-abort-not-elected");
      return;
    }
    this.#event("+elected-leader");
    this.#become("select");
    this.#event("+failover-state-select-slave");
  }

  /** sentinelSelectSlave */
  selectSlave(): Instance | undefined {
    const master = this.#master;
    const now = this.#now;
    const { pingPeriod, infoPeriod } = this.#sentinel;
    const mostDown = (master.sDown ? now - master.sDownSince : 0) + master.settings.downAfter * 10;
    const validity = master.sDown ? pingPeriod * 5 : infoPeriod * 3;
    return master.slaves
      .filter(
        (one) =>
          !one.sDown &&
          !one.disconnected &&
          now - one.lastAvailTime <= pingPeriod * 5 &&
          one.slavePriority !== 0 &&
          now - one.infoRefresh <= validity &&
          one.masterLinkDownTime <= mostDown,
      )
      .sort((a, b) => a.slavePriority - b.slavePriority || b.slaveOffset - a.slaveOffset || (a.runId < b.runId ? -1 : 1))[0];
  }

  #select(): void {
    const slave = this.selectSlave();
    if (slave === undefined) {
      this.#abort("-failover-abort-no-good-slave");
      return;
    }
    this.#event("+selected-slave", slave);
    slave.promoted = true;
    this.promotedSlave = slave;
    this.#become("send-noone");
    this.#event("+failover-state-send-slaveof-noone", slave);
  }

  #sendNoOne(): void {
    const slave = this.promotedSlave;
    if (slave === undefined || slave.disconnected) {
      if (this.#now - this.#stateTime > this.#master.settings.failoverTimeout) this.#abort("-failover-abort-slave-timeout");
      return;
    }
    sendSlaveOf(slave, undefined);
    this.#event("+failover-state-wait-promotion", slave);
    this.#become("wait-promotion");
  }

  /** sentinelFailoverReconfNextSlave */
  #reconfNext(): void {
    const master = this.#master;
    const target = this.promotedSlave;
    if (target === undefined) return;
    let busy = master.slaves.filter(({ reconf }) => reconf === "sent" || reconf === "inprog").length;
    for (const slave of master.slaves) {
      if (busy >= master.settings.parallelSyncs) break;
      if (slave.promoted || slave.reconf === "done") continue;
      if (slave.reconf === "sent" && this.#now - slave.slaveReconfSentTime > RECONF_MS) slave.reconf = "done";
      if (slave.reconf !== "" || slave.disconnected) continue;
      sendSlaveOf(slave, target);
      slave.reconf = "sent";
      slave.slaveReconfSentTime = this.#now;
      this.#event("+slave-reconf-sent", slave);
      busy += 1;
    }
    this.#detectEnd(target);
  }

  /** sentinelFailoverDetectEnd */
  #detectEnd(target: Instance): void {
    const master = this.#master;
    if (target.sDown) return;
    const open = master.slaves.some((one) => !one.promoted && one.reconf !== "done" && !one.sDown);
    const late = this.#now - this.#stateTime > master.settings.failoverTimeout;
    if (late) this.#event("+failover-end-for-timeout");
    if (open && !late) return;
    this.#event("+failover-end");
    this.#become("update-config");
    if (!late) return;
    for (const slave of master.slaves) {
      if (slave.promoted || slave.reconf === "done" || slave.reconf === "sent" || slave.disconnected) continue;
      sendSlaveOf(slave, target);
      slave.reconf = "sent";
    }
  }

  /** sentinelFailoverSwitchToPromotedSlave */
  switchWhenDone(): void {
    if (this.state !== "update-config") return;
    const master = this.#master;
    const to = this.promotedSlave ?? master;
    this.#sentinel.event("+switch-master", `${this.#sentinel.group} ${master.ip} ${master.port} ${to.ip} ${to.port}`);
    this.#sentinel.resetAndChangeAddress(master, to.ip, to.port);
  }

  /** sentinelAbortFailover */
  #abort(channel: string): void {
    this.#event(channel);
    this.inProgress = false;
    this.forced = false;
    this.#become("none");
    if (this.promotedSlave !== undefined) this.promotedSlave.promoted = false;
    this.promotedSlave = undefined;
  }

  /** sentinelMasterLooksSane */
  get #sane(): boolean {
    const master = this.#master;
    const fresh = this.#now - master.infoRefresh < this.#sentinel.infoPeriod * 2;
    return master.roleReported === "master" && !master.sDown && !master.oDown && fresh;
  }

  /** sentinelRefreshInstanceInfo */
  refresh(one: Instance, info: string): void {
    const sentinel = this.#sentinel;
    const master = this.#master;
    const now = this.#now;
    const fields = new Map(
      info.split("\r\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]),
    );
    const runId = fields.get("run_id") ?? "";
    if (one.runId !== "" && one.runId !== runId) this.#event("+reboot", one);
    one.runId = runId;
    const role = fields.get("role") === "master" ? "master" : "slave";
    if (one === master) {
      for (const [key, value] of fields) {
        if (!/^slave\d/.test(key)) continue;
        const [, ip = "", port = "0"] = /ip=([^,]*),port=(\d+)/.exec(value) ?? [];
        if (!master.slaves.some((slave) => slave.ip === ip && slave.port === Number(port)))
          sentinel.addSlave(master, ip, Number(port));
      }
    }
    one.masterLinkDownTime = Number(fields.get("master_link_down_since_seconds") ?? "0") * 1000;
    if (role === "slave") {
      const host = fields.get("master_host");
      const port = Number(fields.get("master_port"));
      if (host !== one.slaveMasterHost || port !== one.slaveMasterPort) one.slaveConfChangeTime = now;
      one.slaveMasterHost = host;
      one.slaveMasterPort = port;
      one.slaveMasterLinkUp = fields.get("master_link_status") === "up";
      one.slavePriority = Number(fields.get("slave_priority") ?? "100");
      one.slaveOffset = Number(fields.get("slave_repl_offset"));
    }
    one.infoRefresh = now;
    if (role !== one.roleReported) {
      one.roleReportedTime = now;
      one.roleReported = role;
      if (role === "slave") one.slaveConfChangeTime = now;
      sentinel.event(one.kind === role ? "+role-change" : "-role-change", `${sentinel.told(one)} new reported role is ${role}`);
    }
    if (sentinel.tilt || one.kind !== "slave") return;
    if (role === "master") this.#slaveSaysMaster(one);
    else this.#slaveSaysSlave(one);
  }

  #slaveSaysMaster(one: Instance): void {
    const sentinel = this.#sentinel;
    const master = this.#master;
    const now = this.#now;
    if (one.promoted && this.inProgress && this.state === "wait-promotion") {
      master.configEpoch = this.#epoch;
      this.#become("reconf");
      this.#event("+promoted-slave", one);
      this.#event("+failover-state-reconf-slaves");
      // sentinelForceHelloUpdateForMaster
      for (const each of [master, ...master.slaves, ...master.sentinels])
        each.lastPubTime = Math.min(each.lastPubTime, now - PERIOD.publish - 1);
      return;
    }
    const wait = PERIOD.publish * 4;
    if (!one.promoted && this.#sane && noDownFor(one, wait, now) && now - one.roleReportedTime > wait) {
      sendSlaveOf(one, master);
      sentinel.event("+convert-to-slave", sentinel.told(one));
    }
  }

  #slaveSaysSlave(one: Instance): void {
    const master = this.#master;
    const now = this.#now;
    const wait = master.settings.failoverTimeout;
    const elsewhere = one.slaveMasterHost !== master.ip || one.slaveMasterPort !== master.port;
    if (elsewhere && this.#sane && noDownFor(one, wait, now) && now - one.slaveConfChangeTime > wait) {
      sendSlaveOf(one, master);
      this.#event("+fix-slave-config", one);
    }
    const target = this.promotedSlave;
    if (
      one.reconf === "sent" &&
      target !== undefined &&
      one.slaveMasterHost === target.ip &&
      one.slaveMasterPort === target.port
    ) {
      one.reconf = "inprog";
      this.#event("+slave-reconf-inprog", one);
    }
    if (one.reconf === "inprog" && one.slaveMasterLinkUp) {
      one.reconf = "done";
      this.#event("+slave-reconf-done", one);
    }
  }
}

/** sentinelRedisInstanceNoDownFor */
function noDownFor(one: Instance, ms: number, now: number): boolean {
  const latest = Math.max(one.sDownSince, one.oDownSince);
  return latest === 0 || now - latest > ms;
}

/** sentinelSendSlaveOf: a transaction, so in one packet it happens at once */
function sendSlaveOf(one: Instance, to: { ip: string; port: number } | undefined): void {
  one.cc?.send(to === undefined ? ["SLAVEOF", "NO", "ONE"] : ["SLAVEOF", to.ip, String(to.port)]);
  one.cc?.send(["CLIENT", "KILL", "TYPE", "normal"]);
  one.cc?.send(["CLIENT", "KILL", "TYPE", "pubsub"]);
}
