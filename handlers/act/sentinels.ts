/** Sentinel's public commands: MONITOR, SET, RESET, FAILOVER. And the two that only we use: a hello, a slot. */
import { isConflict } from "../../kube/error.ts";
import { PATH, pointer } from "../../kube/paths.ts";
import { MARK, SENTINEL_PORT } from "../../model/names.ts";
import type {
  ForgetAction,
  GiveSlotAction,
  HelloAction,
  MonitorAction,
  RestartSentinelAction,
  SentinelFailoverAction,
  SentinelPeriods,
  SentinelSettings,
  SetSentinelAction,
} from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { monitoring, sameAddress } from "../policies/view.ts";
import { type ActContext, type ActResult, DONE, failed, messageOf, NOT_LEADING, refused, sentinelLink } from "./context.ts";
import { agrees, introduce, sayHello } from "./hello.ts";
import { askVote } from "./votes.ts";

const ANSWER_MS = 1000;

/**
 * A sentinel begins to watch the group's master. All in one write: a handler that dies in the middle must not leave a sentinel without the password, which
 * sees nothing but a master that is down.
 */
export async function monitor(context: ActContext, action: MonitorAction): Promise<ActResult> {
  const link = sentinelLink(context, action.member);
  if (link === undefined) return refused("the sentinel is not connected");
  const name = context.links.masterName;
  const { master, settings } = action;
  try {
    const answers = await link.all(
      [
        ...(action.replace ? [["SENTINEL", "REMOVE", name]] : []),
        ["SENTINEL", "MONITOR", name, master.ip, String(master.port), String(settings.quorum)],
        ["SENTINEL", "SET", name, ...authentication(context), ...optionsOf(settings)],
      ],
      ANSWER_MS,
    );
    // What REMOVE says does not matter: without it MONITOR is refused.
    for (const answer of answers.slice(-2)) if (answer instanceof Error) throw answer;
    await meetPeers(context, action);
    context.log.info(
      { reason: REASON.SentinelConfigured, pod: action.member.pod.name, master: master.ip },
      "sentinel watches the master",
    );
    return DONE;
  } catch (error) {
    return failed(`sentinel ${action.member.pod.name}: ${messageOf(error)}`);
  }
}

/** Those who watch the same master are made known to it at once: they could not meet through a master that is down. */
async function meetPeers(context: ActContext, { member, master }: MonitorAction): Promise<void> {
  const peers = monitoring(context.facts).filter((one) => one.member !== member && sameAddress(one.master.address, master));
  const configEpoch = Math.max(0, ...peers.map((one) => one.master.configEpoch));
  for (const { member: peer, sentinel } of peers) {
    const { ip } = peer.pod;
    if (ip === undefined) continue;
    await introduce(context, member, { ip, port: SENTINEL_PORT, runId: sentinel.myId }, { address: master, configEpoch });
  }
}

/** A sentinel that believes an older configuration is told the newer one; where that has no effect it is re-monitored in the next round. */
export async function hello(context: ActContext, action: HelloAction): Promise<ActResult> {
  const said = await sayHello(context, action.member, action.master, action.epoch);
  const agreed = said && (await agrees(context, action.member, action.master, action.epoch));
  return agreed ? DONE : failed(`sentinel ${action.member.pod.name} did not take ${action.master.ip} with epoch ${action.epoch}`);
}

const PERIOD = { pingPeriodMs: "ping-period", infoPeriodMs: "info-period" } as const satisfies Record<
  keyof SentinelPeriods,
  string
>;

/**
 * Settings that differ, and the periods. The password goes with the settings: where they differ, a MONITOR may have been cut off from its SET, and nothing that
 * a sentinel tells shows whether it has one. It makes the links to the servers anew, which costs nothing (dropInstanceConnections of sentinel.c).
 */
export async function setSentinel(context: ActContext, action: SetSentinelAction): Promise<ActResult> {
  const link = sentinelLink(context, action.member);
  if (link === undefined) return refused("the sentinel is not connected");
  const options = optionsOf(action.settings);
  try {
    if (options.length > 0)
      await link.call(["SENTINEL", "SET", context.links.masterName, ...authentication(context), ...options], ANSWER_MS);
    for (const [name, ms] of Object.entries(action.periods))
      await link.call(["SENTINEL", "DEBUG", PERIOD[name as keyof typeof PERIOD], String(ms)], ANSWER_MS);
    return DONE;
  } catch (error) {
    return failed(`sentinel ${action.member.pod.name}: ${messageOf(error)}`);
  }
}

const OPTION = {
  quorum: "quorum",
  downAfterMs: "down-after-milliseconds",
  failoverTimeoutMs: "failover-timeout",
  parallelSyncs: "parallel-syncs",
} as const satisfies Record<keyof SentinelSettings, string>;

function optionsOf(settings: Partial<SentinelSettings>): string[] {
  return Object.entries(OPTION).flatMap(([key, option]) => {
    const value = settings[key as keyof typeof OPTION];
    return value === undefined ? [] : [option, String(value)];
  });
}

/** What the sentinels log in to the servers with. */
function authentication({ links: { password } }: ActContext): string[] {
  return password === undefined ? [] : ["auth-pass", password];
}

/**
 * RESET of one sentinel, which drops peers and replicas but keeps the master and the configuration epoch, and at once the living peers are introduced
 * again as their own hello would; replicas come back with the next INFO of the master. A majority of others could fail over meanwhile.
 */
export async function forget(context: ActContext, action: ForgetAction): Promise<ActResult> {
  const link = sentinelLink(context, action.member);
  if (link === undefined) return refused("the sentinel is not connected");
  const self = action.member.sentinel?.state === "up" ? action.member.sentinel.myId : "";
  const peers = action.peers.flatMap(({ pod, sentinel }) =>
    sentinel?.state === "up" && sentinel.myId !== self && pod.ip !== undefined
      ? [{ ip: pod.ip, port: SENTINEL_PORT, runId: sentinel.myId }]
      : [],
  );
  try {
    await link.call(["SENTINEL", "RESET", context.links.masterName], ANSWER_MS);
    // With `promotion: sentinel` they introduce themselves, within two seconds.
    if (context.facts.settings.promotion !== "sentinel")
      for (const peer of peers) await introduce(context, action.member, peer, action.monitored);
    return DONE;
  } catch (error) {
    return failed(`sentinel ${action.member.pod.name}: ${messageOf(error)}`);
  }
}

/**
 * The public way, for `promotion: sentinel` and as the fallback. Without the annotation the others vote for that sentinel first, so that none of them begins an
 * election of its own; `failover` tells them of the result as soon as the candidate is master ("FH", ADR 0018).
 */
export async function sentinelFailover(context: ActContext, action: SentinelFailoverAction): Promise<ActResult> {
  const link = sentinelLink(context, action.sentinel);
  if (link === undefined) return refused("the sentinel is not connected");
  if (!context.leading()) return refused(NOT_LEADING);
  const id = action.sentinel.sentinel?.state === "up" ? action.sentinel.sentinel.myId : "";
  await Promise.all(action.voters.map((member) => askVote(context, member, action.epoch, id)));
  try {
    await link.call(["SENTINEL", "FAILOVER", context.links.masterName], ANSWER_MS);
    context.say(REASON.FailoverBySentinel, `sentinel ${action.sentinel.pod.name} was asked for a failover: ${action.message}`);
    return DONE;
  } catch (error) {
    return failed(`sentinel ${action.sentinel.pod.name}: ${messageOf(error)}`);
  }
}

/** SHUTDOWN: the container starts the process again, with what it wrote into its file. */
export async function restartSentinel(context: ActContext, action: RestartSentinelAction): Promise<ActResult> {
  const link = sentinelLink(context, action.member);
  if (link === undefined) return refused("the sentinel is not connected");
  try {
    await link.call(["SHUTDOWN"], ANSWER_MS);
    return failed(`sentinel ${action.member.pod.name} did not end`);
  } catch (error) {
    // A server that ends closes the connection instead of an answer.
    return link.state === "up" ? failed(`sentinel ${action.member.pod.name}: ${messageOf(error)}`) : DONE;
  }
}

/**
 * Writes the slot onto the pod; the sentinel's boot script waits for it (downward API). Conditional: a pod that another handler gave one meanwhile keeps that.
 */
export async function giveSlot(context: ActContext, action: GiveSlotAction): Promise<ActResult> {
  const { namespace } = context.group;
  try {
    const path = `/metadata/annotations/${pointer(MARK.sentinelSlot)}`;
    const { uid, slot } = action.pod;
    await context.kube.jsonPatch(PATH.pods(namespace, action.pod.name), [
      { op: "test", path: "/metadata/uid", value: uid },
      { op: "test", path, value: slot === undefined ? null : String(slot) },
      { op: "add", path, value: String(action.slot) },
    ]);
    context.log.info({ reason: REASON.SentinelSlotGiven, pod: action.pod.name, slot: action.slot }, "sentinel slot given");
    return DONE;
  } catch (error) {
    if (isConflict(error)) return refused(`${action.pod.name} has another slot by now`);
    return failed(`slot of ${action.pod.name}: ${messageOf(error)}`);
  }
}
