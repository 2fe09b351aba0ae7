/** Cuts clients off a node that is no longer master, never before new connections lead to the new one (law 4). */
import { setTimeout as sleep } from "node:timers/promises";
import type { Address } from "../../model/facts.ts";
import type { CutAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import type { Link } from "../observe/link.ts";
import { type ActContext, type ActResult, DONE } from "./context.ts";

/** EndpointSlice seen here → every node's proxy has its rules in force; measured 12–25 ms with iptables (bench/failover). */
export const PROXY_LAG_MS = 30;
/** Routing is waited for so long, ms; then the cut happens all the same: a client on a demoted node is worse than one more reconnect. */
const ROUTED_MS = 3000;
/** A slow proxy lets a few new connections through to the old node: cut again, ms after the first cut. */
const AGAIN_MS = [60, 150, 400];

/** Resolves once the master Service leads to `to` and no longer to `from`, as far as the EndpointSlice and the usual proxy lag tell. */
export async function untilRouted(context: ActContext, to: string, from: string): Promise<boolean> {
  const moved = await context.endpoints.until(
    (addresses) => addresses.has(to) && (from === to || !addresses.has(from)),
    ROUTED_MS,
  );
  await sleep(PROXY_LAG_MS);
  return moved;
}

/** Closes all client connections of a node, those of subscribers too; not those of replicas, its master, or our own. Returns how many. */
export async function killClients(link: Link): Promise<number> {
  const [normal, pubsub] = await link.all([
    ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
    ["CLIENT", "KILL", "TYPE", "pubsub"],
  ]);
  return (typeof normal === "number" ? normal : 0) + (typeof pubsub === "number" ? pubsub : 0);
}

/** Cuts now and a few times after; only while the node is not master again. */
export async function cutRepeatedly(link: Link): Promise<number> {
  let count = await killClients(link);
  let waited = 0;
  for (const at of AGAIN_MS) {
    await sleep(at - waited);
    waited = at;
    if (link.state !== "up" || (await isMaster(link))) break;
    count += await killClients(link);
  }
  return count;
}

/** The same, unless the node is master (again): a master's clients are never cut. Returns how many were. */
export async function cutUnlessMaster(link: Link): Promise<number> {
  return (await isMaster(link)) ? 0 : await cutRepeatedly(link);
}

async function isMaster(link: Link): Promise<boolean> {
  const role = await link.call(["ROLE"]).catch(() => undefined);
  return Array.isArray(role) && String(role[0]) === "master";
}

/** For a master that changed without our doing (Sentinel, another handler): waits for routing, then cuts the former master's clients. False: nobody to cut. */
export async function cutAfterRouting(context: ActContext, to: string, previous: Address): Promise<boolean> {
  await untilRouted(context, to, previous.ip);
  const link = context.links.redisLinkAt(previous);
  if (link === undefined || link.state !== "up" || (await isMaster(link))) return false; // a second master is for `fence`
  const count = await cutRepeatedly(link);
  context.say(
    REASON.ConnectionsCut,
    `${count} connections to the former master ${previous.ip} were cut after the Service had moved`,
  );
  return true;
}

/** The act: in the background, since the Service may not have moved yet. */
export async function cut(context: ActContext, action: CutAction): Promise<ActResult> {
  context.background(cutAfterRouting(context, action.master.ip, action.previous));
  return DONE;
}
