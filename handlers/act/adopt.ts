/** Carries data and role between an injected redis and an un-injected one of the same workload, in both directions, without loss. */
import { setTimeout as sleep } from "node:timers/promises";
import { PATH } from "../../kube/paths.ts";
import type { Address } from "../../model/facts.ts";
import { LABEL, MARK } from "../../model/names.ts";
import type { AdoptAction, CopyAction, ReleaseAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import type { Link } from "../observe/link.ts";
import { infoFields } from "../observe/replies.ts";
import { type ActContext, type ActResult, addressOf, DONE, failed, messageOf, redisLink, refused } from "./context.ts";
import { cutRepeatedly, untilRouted } from "./cut.ts";
import { PAUSE_MS } from "./handover.ts";
import { writeRoute } from "./route.ts";
import { Stopwatch } from "./timeline.ts";

const EQUAL_MS = 2000;

const linkTo = (context: ActContext, address: Address): Link | undefined =>
  context.links.redisLinkAt(address) ?? context.links.outsiderLinkAt(address)?.link;

/** REPLICAOF, with or without a password as the source wants it. */
export async function copy(context: ActContext, action: CopyAction): Promise<ActResult> {
  const link = linkTo(context, action.to);
  if (link === undefined) return refused("not connected");
  const open = context.links.outsiderLinkAt(action.from)?.open ?? context.links.password === undefined;
  try {
    await link.call(["CONFIG", "SET", "masterauth", open ? "" : (context.links.password ?? "")]);
    await link.call(["REPLICAOF", action.from.ip, String(action.from.port)]);
    return DONE;
  } catch (error) {
    return failed(`${action.to.ip}: ${messageOf(error)}`);
  }
}

/** Pauses `from` and waits until `to` has every byte; then `to` is a master of its own. Returns what went wrong, with the pause lifted. */
async function takeOver(from: Link, to: Link, watch: Stopwatch): Promise<string | undefined> {
  try {
    await from.call(["CLIENT", "PAUSE", String(PAUSE_MS), "WRITE"]);
    watch.mark("paused");
    const deadline = performance.now() + EQUAL_MS;
    for (;;) {
      const [source, target] = await Promise.all([from.call(["INFO", "replication"]), to.call(["INFO", "replication"])]);
      const wanted = infoFields(source).get("master_repl_offset");
      if (wanted !== undefined && wanted === infoFields(target).get("slave_repl_offset")) break;
      if (performance.now() > deadline) throw new Error(`offsets not equal within ${EQUAL_MS} ms`);
      await sleep(1);
    }
    watch.mark("equal");
    await to.call(["REPLICAOF", "NO", "ONE"]);
    watch.mark("promoted");
    return undefined;
  } catch (error) {
    await from.call(["CLIENT", "UNPAUSE"]).catch(() => undefined);
    return messageOf(error);
  }
}

export async function adopt(context: ActContext, action: AdoptAction): Promise<ActResult> {
  const to = redisLink(context, action.member);
  const from = context.links.outsiderLinkAt(action.outsider.address)?.link;
  if (to === undefined || from === undefined) return refused("not connected");
  const watch = new Stopwatch("handover", "adoption", action.outsider.pod);
  const problem = await takeOver(from, to, watch);
  if (problem !== undefined) return failed(`adoption of ${action.outsider.pod}: ${problem}`);
  const master = addressOf(action.member);
  const password = context.links.password ?? "";
  await to.call(["CONFIG", "SET", "masterauth", password]).catch(() => undefined);
  await from.call(["CONFIG", "SET", "masterauth", password]).catch(() => undefined);
  await from.call(["REPLICAOF", master.ip, String(master.port)]).catch(() => undefined);
  const info = infoFields(await to.call(["INFO", "replication"]).catch(() => ""));
  const routed = await writeRoute(context, action.member.pod, action.epoch, REASON.Adopted, info.get("master_replid") ?? "");
  watch.mark("patched");
  await cutOff(context, from, master.ip, action.outsider.address.ip, watch);
  context.say(
    REASON.Adopted,
    `${action.member.pod.name} took over the data and the role of ${action.outsider.pod}; ${watch.text()}`,
  );
  return routed.outcome === "failed" ? failed(routed.why) : DONE;
}

/** Gives the Service back its own selector, or, where it is one of ours, points it to the pods of the workload by their labels. */
export async function release(context: ActContext, action: ReleaseAction): Promise<ActResult> {
  const from = redisLink(context, action.member);
  const to = context.links.outsiderLinkAt(action.outsider.address)?.link;
  const service = context.facts.masterService;
  if (to === undefined || from === undefined || service === undefined) return refused("not connected");
  const watch = new Stopwatch("handover", "release", action.member.pod.name);
  const problem = await takeOver(from, to, watch);
  if (problem !== undefined) return failed(`release to ${action.outsider.pod}: ${problem}`);
  const { address } = action.outsider;
  await to.call(["CONFIG", "SET", "masterauth", ""]).catch(() => undefined);
  const original = service.originalSelector ?? context.facts.outsiderSelector ?? {};
  const removed = Object.fromEntries(Object.keys(service.selector).map((key) => [key, null]));
  const marks = Object.fromEntries(Object.values(MARK).map((key) => [key, null]));
  try {
    await context.kube.mergePatch(PATH.services(context.group.namespace, service.name), {
      metadata: { annotations: marks, ...(service.originalSelector === undefined ? {} : { labels: { [LABEL.cluster]: null } }) },
      spec: { selector: { ...removed, ...original } },
    });
  } catch (error) {
    context.log.warn({ reason: REASON.ActFailed, err: messageOf(error) }, `Service ${service.name} could not be given back`);
  }
  await from.call(["REPLICAOF", address.ip, String(address.port)]).catch(() => undefined);
  await cutOff(context, from, address.ip, addressOf(action.member).ip, watch);
  context.say(
    REASON.ServiceGivenBack,
    `${action.outsider.pod} has the data; Service ${service.name} has its old selector; ${watch.text()}`,
  );
  return DONE;
}

async function cutOff(context: ActContext, old: Link, to: string, from: string, watch: Stopwatch): Promise<void> {
  await untilRouted(context, to, from);
  watch.mark("routed");
  context.background(cutRepeatedly(old).finally(() => old.call(["CLIENT", "UNPAUSE"]).catch(() => undefined)));
}
