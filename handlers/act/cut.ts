/** Cuts clients off a node that is no longer master, never before new connections lead to the new one (law 4). */
import { setTimeout as sleep } from "node:timers/promises";
import type { Address } from "../../model/facts.ts";
import type { CutAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import type { Link } from "../observe/link.ts";
import { askSlices } from "../watch/endpoints.ts";
import { type ActContext, type ActResult, DONE } from "./context.ts";
import { persist } from "./persist.ts";

/** EndpointSlice seen here → every node's proxy has its rules in force; measured 12–25 ms with iptables (bench/failover). */
const PROXY_LAG_MS = 30;
/** An act waits so long for routing, ms; then the group's loop goes on, and the cut follows when the Service has moved. */
const ROUTED_MS = 3000;
/** A cut waits so long for a Service that does not move, ms: whoever makes the EndpointSlices may be away for minutes. */
const LATE_MS = 300_000;
/** The watch of the EndpointSlices told nothing for so long, ms: the API server itself is asked, then and every so often. */
const ASK_MS = 1000;
/** A slow proxy lets a few new connections through to the old node: cut again after these pauses, ms. */
const AGAIN_MS = [60, 90, 250];
/**
 * And again when every proxy has taken up the change, after these pauses, ms: one that had just begun to sync does so a second later (ADR 0016), a slow one later
 * still, and what connected in between would stay for ever.
 */
const STRAGGLERS_MS = [900, 1500];
/**
 * A master that comes back may have been cut off together with its node, whose proxy then hears of the change up to a minute later (ADR 0040): each pause as long as
 * all before it, ms.
 */
const RETURNED_MS = [900, 1000, 2000, 4000, 8000, 16_000, 32_000];

/** How the wait for routing is bounded; all in ms. */
interface Patience {
  readonly withinMs?: number;
  readonly askMs?: number;
}

/**
 * Resolves true once the master Service leads to `to` and no longer to `from`, as far as the EndpointSlice and the usual proxy lag tell; false when it did not in time.
 * The watch tells first; where it is silent the API server is asked.
 */
export async function untilRouted(context: ActContext, to: string, from: string, patience: Patience = {}): Promise<boolean> {
  const leads = (addresses: ReadonlySet<string>): boolean => addresses.has(to) && (from === to || !addresses.has(from));
  return await untilLeading(context, leads, patience);
}

async function untilLeading(
  context: ActContext,
  leads: (addresses: ReadonlySet<string>) => boolean,
  { withinMs = ROUTED_MS, askMs = ASK_MS }: Patience,
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const left = deadline - performance.now();
    if (left <= 0) return false;
    const told = await context.endpoints.until(leads, Math.min(askMs, left));
    if (told || leads(await askedAddresses(context))) break;
  }
  await sleep(PROXY_LAG_MS);
  return true;
}

/** What the API server says when it is asked; nothing when it does not answer. */
async function askedAddresses({ kube, group, facts }: ActContext): Promise<ReadonlySet<string>> {
  const slices = await askSlices(kube, group.namespace, facts.masterService?.name ?? "");
  return new Set(slices.flatMap(({ endpoints }) => endpoints ?? []).flatMap(({ addresses }) => addresses));
}

/** A node that was master until now, or until a while ago. */
export interface Former {
  readonly link: Link;
  /** its address, and that of the present master */
  readonly from: string;
  readonly to: string;
  /** it comes back after the Service had moved */
  readonly returned?: boolean;
}

/**
 * The end of a change of master for the node that was it, whose writes are paused: its clients are cut, and no pause is left. Returns how many were cut.
 * @param moved whether the Service leads elsewhere. Where it does not yet, the pause ends now and the cut follows when it does (law 4)
 */
export async function letGo(context: ActContext, former: Former, moved: boolean): Promise<number> {
  const unpause = (): Promise<unknown> => persist(former.link, ["CLIENT", "UNPAUSE"]);
  if (moved) return await cutUnlessMaster(context, former).finally(unpause);
  await unpause();
  return await cutLate(context, former);
}

/** Waits for minutes until the Service leads to anybody else: by then there may have been one more change of master. */
export async function cutLate(context: ActContext, former: Former): Promise<number> {
  const { from, to } = former;
  const leads = (addresses: ReadonlySet<string>): boolean =>
    from === to ? addresses.has(to) : addresses.size > 0 && !addresses.has(from);
  return (await untilLeading(context, leads, { withinMs: LATE_MS })) ? await cutUnlessMaster(context, former) : 0;
}

/** Closes all client connections of a node, those of subscribers too; not those of replicas, its master, or our own. Returns how many. */
async function killClients(link: Link): Promise<number> {
  const [normal, pubsub] = await link.all([
    ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
    ["CLIENT", "KILL", "TYPE", "pubsub"],
  ]);
  return (typeof normal === "number" ? normal : 0) + (typeof pubsub === "number" ? pubsub : 0);
}

/** Cuts now and a few times after, unless the node is master (again): a master's clients are never cut. Returns how many were. */
async function cutUnlessMaster(context: ActContext, { link, returned = false }: Former): Promise<number> {
  if (await isMaster(link)) return 0;
  const count = (await killClients(link)) + (await cutAgain(link, AGAIN_MS));
  context.background(cutAgain(link, returned ? RETURNED_MS : STRAGGLERS_MS));
  return count;
}

/** After each of these pauses, until the node is master. Our own link may just be away: the other replica of the handlers cuts as well. */
async function cutAgain(link: Link, pausesMs: readonly number[]): Promise<number> {
  let count = 0;
  for (const pause of pausesMs) {
    await sleep(pause);
    if (link.state !== "up") continue;
    if (await isMaster(link)) break;
    count += await killClients(link);
  }
  return count;
}

async function isMaster(link: Link): Promise<boolean> {
  const role = await link.call(["ROLE"]).catch(() => undefined);
  return Array.isArray(role) && String(role[0]) === "master";
}

/** For a master that changed without our doing (Sentinel, another handler): waits for routing, then cuts the former master's clients. False: nobody to cut. */
export async function cutAfterRouting(context: ActContext, to: string, previous: Address): Promise<boolean> {
  const moved = await untilRouted(context, to, previous.ip);
  const link = context.links.redisLinkAt(previous);
  if (link === undefined || link.state !== "up" || (await isMaster(link))) return false; // a second master is for `fence`
  const former = { link, from: previous.ip, to };
  const count = moved ? await cutUnlessMaster(context, former) : await cutLate(context, former);
  if (count > 0)
    context.say(
      REASON.ConnectionsCut,
      `${count} connections to the former master ${previous.ip} were cut after the Service had moved`,
    );
  return count > 0;
}

/** The act: in the background, since the Service may not have moved yet. */
export async function cut(context: ActContext, action: CutAction): Promise<ActResult> {
  context.background(cutAfterRouting(context, action.master.ip, action.previous));
  return DONE;
}
