/** The commands of a sentinel, as far as this project uses them (sentinel.c, sentinelCommand). */
import { error } from "./protocol.ts";
import type { SentinelServer, WatchedMaster } from "./sentinel.ts";
import { HELLO } from "./sentinel-constants.ts";
import type { Instance } from "./sentinel-instance.ts";
import { type Connection, LATER } from "./server.ts";

/** sentinelFailoverStateStr */
const STATE = {
  none: "none",
  "wait-start": "wait_start",
  select: "select_slave",
  "send-noone": "send_slaveof_noone",
  "wait-promotion": "wait_promotion",
  reconf: "reconf_slaves",
  "update-config": "update_config",
} as const;

const NO_SUCH = error("ERR No such master with that name");

export function executeSentinel(sentinel: SentinelServer, connection: Connection, command: readonly string[]): unknown {
  const name = (command[0] ?? "").toUpperCase();
  switch (name) {
    case "PING":
      return "PONG";
    case "SHUTDOWN":
      sentinel.onShutdown();
      return LATER;
    case "INFO":
      return `sentinel_masters:${sentinel.master === undefined ? 0 : 1}\r\nsentinel_tilt:${sentinel.tilt ? 1 : 0}`;
    case "PUBLISH":
      if (command[1] === HELLO) sentinel.hello(command[2] ?? "");
      return 1;
    case "PSUBSCRIBE":
    case "SUBSCRIBE":
      connection.type = "pubsub";
      connection.channels.add(command[1] ?? "");
      return command[1];
    case "SENTINEL":
      return subcommand(sentinel, (command[1] ?? "").toUpperCase(), command.slice(2));
    default:
      return error(`ERR unknown command '${name}'`);
  }
}

function subcommand(sentinel: SentinelServer, name: string, rest: readonly string[]): unknown {
  if (name === "MYID") return sentinel.myId;
  if (name === "DEBUG") return debug(sentinel, rest);
  if (name === "MONITOR") return monitor(sentinel, rest);
  if (name === "IS-MASTER-DOWN-BY-ADDR") return isMasterDown(sentinel, rest);
  const { master } = sentinel;
  if (name === "RESET") {
    if (master === undefined || rest[0] !== sentinel.group) return 0;
    sentinel.reset(master, false);
    sentinel.event("+reset-master", sentinel.told(master));
    return 1;
  }
  if (name === "GET-MASTER-ADDR-BY-NAME") {
    if (master === undefined || rest[0] !== sentinel.group) return null;
    const { ip, port } = master.failover.currentAddress;
    return [ip, String(port)];
  }
  if (master === undefined || rest[0] !== sentinel.group) return NO_SUCH;
  switch (name) {
    case "MASTER":
      return [
        ...fields(master, flagsOf(master)),
        ...(master.failover.inProgress ? ["failover-state", STATE[master.failover.state]] : []),
        ...["config-epoch", String(master.configEpoch), "quorum", String(master.settings.quorum)],
        ...["num-slaves", String(master.slaves.length), "num-other-sentinels", String(master.sentinels.length)],
        ...["down-after-milliseconds", String(master.settings.downAfter)],
        ...["failover-timeout", String(master.settings.failoverTimeout)],
        ...["parallel-syncs", String(master.settings.parallelSyncs)],
      ];
    case "REPLICAS":
      return master.slaves.map((one) => fields(one, flagsOf(one)));
    case "SENTINELS":
      return master.sentinels.map((one) => [...fields(one, flagsOf(one)), "voted-leader-epoch", String(one.leaderEpoch)]);
    case "REMOVE":
      drop(sentinel, master);
      return "OK";
    case "SET":
      return set(master, rest.slice(1));
    case "FAILOVER":
      return failover(master);
    case "CKQUORUM":
      return ckquorum(master);
    default:
      return error(`ERR Unknown sentinel subcommand '${name}'`);
  }
}

function debug(sentinel: SentinelServer, rest: readonly string[]): unknown {
  if (rest.length === 0) return ["INFO-PERIOD", String(sentinel.infoPeriod), "PING-PERIOD", String(sentinel.pingPeriod)];
  if (rest[0] === "ping-period") sentinel.pingPeriod = Number(rest[1]);
  if (rest[0] === "info-period") sentinel.infoPeriod = Number(rest[1]);
  return "OK";
}

function monitor(sentinel: SentinelServer, rest: readonly string[]): unknown {
  const [group, ip = "", port = "", quorum = ""] = rest;
  if (group !== sentinel.group) return error("ERR not simulated: another group");
  if (sentinel.master !== undefined) return error("ERR Duplicated master name");
  sentinel.monitor(ip, Number(port), { quorum: Number(quorum), downAfter: 30_000, failoverTimeout: 180_000, parallelSyncs: 1 });
  if (sentinel.master !== undefined) sentinel.event("+monitor", `${sentinel.told(sentinel.master)} quorum ${quorum}`);
  return "OK";
}

/** The master is found by its address, not by its name. In TILT nobody is down. */
function isMasterDown(sentinel: SentinelServer, rest: readonly string[]): unknown {
  const [ip, port, epoch, runId = "*"] = rest;
  const { master } = sentinel;
  const found = master !== undefined && master.ip === ip && master.port === Number(port) ? master : undefined;
  const down = !sentinel.tilt && found?.sDown === true ? 1 : 0;
  if (found === undefined || runId === "*") return [down, "*", 0];
  const vote = found.failover.vote(Number(epoch), runId);
  return [down, vote.leader ?? "*", vote.epoch];
}

function drop(sentinel: SentinelServer, master: WatchedMaster): void {
  sentinel.event("-monitor", sentinel.told(master));
  for (const one of [master, ...master.slaves, ...master.sentinels]) one.drop();
  sentinel.master = undefined;
}

function set(master: WatchedMaster, rest: readonly string[]): unknown {
  const { settings } = master;
  for (let at = 0; at + 1 < rest.length; at += 2) {
    const value = Number(rest[at + 1]);
    if (rest[at] === "quorum") settings.quorum = value;
    else if (rest[at] === "down-after-milliseconds") settings.downAfter = value;
    else if (rest[at] === "failover-timeout") settings.failoverTimeout = value;
    else if (rest[at] === "parallel-syncs") settings.parallelSyncs = value;
    else if (rest[at] === "auth-pass") authenticate(master, rest[at + 1]);
    else return error(`ERR Invalid argument '${rest[at]}' to SENTINEL SET`);
  }
  return "OK";
}

/** dropInstanceConnections: the master's and its replicas' links are made anew */
function authenticate(master: WatchedMaster, password: string | undefined): void {
  master.authPass = password;
  for (const one of [master, ...master.slaves]) one.hangUp();
}

function failover(master: WatchedMaster): unknown {
  if (master.failover.inProgress) return error("INPROG Failover already in progress");
  if (master.failover.selectSlave() === undefined) return error("NOGOODSLAVE No suitable replica to promote");
  master.failover.start();
  master.failover.forced = true;
  return "OK";
}

/** sentinelIsQuorumReachable */
export function ckquorum(master: WatchedMaster): unknown {
  const usable = 1 + master.sentinels.filter((one) => !one.sDown && !one.oDown).length;
  const voters = master.sentinels.length + 1;
  if (usable < master.settings.quorum)
    return error(
      `NOQUORUM ${usable} usable Sentinels. Not enough available Sentinels to reach the specified quorum for this master`,
    );
  if (usable < Math.floor(voters / 2) + 1)
    return error(
      `NOQUORUM ${usable} usable Sentinels. Not enough available Sentinels to reach the majority and authorize a failover`,
    );
  return `OK ${usable} usable Sentinels. Quorum and failover authorization can be reached`;
}

function flagsOf(one: Instance): string {
  const flags: string[] = [];
  if (one.sDown) flags.push("s_down");
  if (one.oDown) flags.push("o_down");
  flags.push(one.kind);
  if (one.disconnected) flags.push("disconnected");
  if (one.masterDown) flags.push("master_down");
  if ("failover" in one && (one as WatchedMaster).failover.inProgress) flags.push("failover_in_progress");
  if (one.promoted) flags.push("promoted");
  if (one.reconf !== "") flags.push(`reconf_${one.reconf}`);
  return flags.join(",");
}

function fields(one: Instance, flags: string): string[] {
  return ["ip", one.ip, "port", String(one.port), "runid", one.runId, "flags", flags];
}
