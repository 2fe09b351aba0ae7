/** Demotes a second writable node at once and says how much it took that is lost now. */
import type { Address } from "../../model/facts.ts";
import type { FenceAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { type Link, LinkError } from "../observe/link.ts";
import { infoFields } from "../observe/replies.ts";
import {
  type ActContext,
  type ActResult,
  addressOf,
  DONE,
  failed,
  messageOf,
  NOT_LEADING,
  redisLink,
  refused,
} from "./context.ts";
import { letGo, untilRouted } from "./cut.ts";
import { PAUSE_MS } from "./handover.ts";
import { persist } from "./persist.ts";

/** A server that stood still has much to do at once: its answers may take so long, ms. */
const SEEN_MS = 600;
const DEMOTED_MS = 1000;

export async function fence(context: ActContext, action: FenceAction): Promise<ActResult> {
  const link = redisLink(context, action.member);
  if (link === undefined) return refused("not connected");
  const { ip } = addressOf(action.member);
  if (!context.leading()) return refused(NOT_LEADING);
  try {
    await link.call(["CLIENT", "PAUSE", String(PAUSE_MS), "WRITE"]);
    // Both before the demotion: whoever has done that is the only one who can still tell, and may not be kept from it by one late answer.
    const [before, after] = await Promise.all([replicationOf(link), replicationOf(context.links.redisLinkAt(action.master))]);
    if (!context.leading()) throw new LinkError(NOT_LEADING);
    await demote(link, action.master);
    sayLost(context, action, lostBytes(before, after));
  } catch (error) {
    await persist(link, ["CLIENT", "UNPAUSE"]);
    return failed(`${action.member.pod.name}: ${messageOf(error)}`);
  }
  context.background(
    untilRouted(context, action.master.ip, ip).then((moved) =>
      letGo(context, { link, from: ip, to: action.master.ip, returned: true }, moved),
    ),
  );
  return DONE;
}

/** Where the answer is late the server says itself whether it has done it. */
async function demote(link: Link, master: Address): Promise<void> {
  await link.call(["REPLICAOF", master.ip, String(master.port)], DEMOTED_MS).catch(async (error: unknown) => {
    const role = error instanceof LinkError ? await link.call(["ROLE"], DEMOTED_MS) : undefined;
    if (!Array.isArray(role) || String(role[0]) !== "slave") throw error;
  });
}

type Replication = ReadonlyMap<string, string>;

async function replicationOf(link: Link | undefined): Promise<Replication> {
  return infoFields(await link?.call(["INFO", "replication"], SEEN_MS).catch(() => ""));
}

/**
 * The new master remembers where it left the old one's history (second_repl_offset, one byte past the last common one); what the demoted
 * node wrote after that is gone. Returns the bytes; 0 where they can't be compared, or nothing is lost.
 */
export function lostBytes(before: Replication, after: Replication): number {
  const common = after.get("master_replid2") === before.get("master_replid");
  const lost = Number(before.get("master_repl_offset")) - (Number(after.get("second_repl_offset")) - 1);
  return common && Number.isFinite(lost) ? Math.max(0, lost) : 0;
}

function sayLost(context: ActContext, action: FenceAction, lost: number): void {
  if (lost === 0) return;
  context.say(REASON.WritesLost, lostText(action.member.pod.name, lost, context.facts.masterService?.record?.since, new Date()), {
    lostBytes: lost,
  });
}

/** @param since when the new master became master, as the Service records it; the node may have stood still for a part of the time */
export function lostText(pod: string, bytes: number, since: string | undefined, until: Date): string {
  const amount = bytes < 10_000 ? `${bytes} bytes` : `${Math.round(bytes / 1000)} kB`;
  const between = since === undefined ? `until ${until.toISOString()}` : `between ${since} and ${until.toISOString()}`;
  return `lost ${amount} of writes taken by ${pod} ${between}: another one was master by then`;
}
