/** Small acts on one redis: follow the master, take parameters, lift a pause. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Address, MemberFact } from "../../model/facts.ts";
import type { AttachAction, ConfigureRedisAction, UnpauseAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { ANSWER_MS } from "../observe/link.ts";
import { infoFields } from "../observe/replies.ts";
import { type ActContext, type ActResult, DONE, failed, messageOf, redisLink, refused } from "./context.ts";
import { persist } from "./persist.ts";

async function send(context: ActContext, member: AttachAction["member"], command: readonly string[]): Promise<ActResult> {
  const link = redisLink(context, member);
  if (link === undefined) return refused("not connected");
  try {
    await link.call(command);
    return DONE;
  } catch (error) {
    return failed(`${member.pod.name}: ${messageOf(error)}`);
  }
}

export async function attach(context: ActContext, action: AttachAction): Promise<ActResult> {
  const result = await send(context, action.member, ["REPLICAOF", action.master.ip, String(action.master.port)]);
  if (result.outcome === "done")
    context.say(REASON.ReplicaAttached, `${action.member.pod.name} follows master ${action.master.ip}`);
  return result;
}

export async function configureRedis(context: ActContext, action: ConfigureRedisAction): Promise<ActResult> {
  const result = await send(context, action.member, ["CONFIG", "SET", ...Object.entries(action.parameters).flat()]);
  if (result.outcome === "done")
    context.log.info({ reason: REASON.ReplicaConfigured, pod: action.member.pod.name, ...action.parameters }, "parameters set");
  return result;
}

export async function unpause(context: ActContext, { member }: UnpauseAction): Promise<ActResult> {
  const link = redisLink(context, member);
  if (link === undefined) return refused("not connected");
  return (await persist(link, ["CLIENT", "UNPAUSE"])) ? DONE : failed(`${member.pod.name} does not answer`);
}

/** The history that a server writes (master_replid), for the record on the Service; empty when it does not say. Each promotion begins one. */
export async function historyOf(context: ActContext, member: MemberFact): Promise<string> {
  const info = await redisLink(context, member)
    ?.call(["INFO", "replication"], ANSWER_MS)
    .catch(() => undefined);
  return infoFields(info).get("master_replid") ?? "";
}

/** How long, and how often, replicas are asked whether they follow, ms. */
const ATTACHED_MS = 10_000;
const ATTACHED_POLL_MS = 50;

/** Resolves true once each of the replicas that answers has its link to `master` up, false after 10 s. For the story of a failover only. */
export async function untilAttached(context: ActContext, members: readonly MemberFact[], master: Address): Promise<boolean> {
  const deadline = performance.now() + ATTACHED_MS;
  for (;;) {
    const following = await Promise.all(members.map((member) => follows(context, member, master)));
    if (!following.includes(false)) return following.includes(true);
    if (performance.now() > deadline) return false;
    await sleep(ATTACHED_POLL_MS);
  }
}

/** Undefined: it does not answer. */
async function follows(context: ActContext, member: MemberFact, master: Address): Promise<boolean | undefined> {
  const info = await redisLink(context, member)
    ?.call(["INFO", "replication"])
    .catch(() => undefined);
  if (info === undefined) return undefined;
  const fields = infoFields(info);
  return fields.get("master_host") === master.ip && fields.get("master_link_status") === "up";
}
