/** Small acts on one redis: follow the master, take parameters, lift a pause. */
import type { AttachAction, ConfigureRedisAction, UnpauseAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { type ActContext, type ActResult, DONE, failed, messageOf, redisLink, refused } from "./context.ts";

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

export async function unpause(context: ActContext, action: UnpauseAction): Promise<ActResult> {
  return send(context, action.member, ["CLIENT", "UNPAUSE"]);
}
