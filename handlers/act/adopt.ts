/** Carries data and role between an injected redis and an un-injected one of the same workload, in both directions, without loss. */
import { setTimeout as sleep } from "node:timers/promises";
import { isNotFound } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { Service } from "../../kube/types.ts";
import type { Address } from "../../model/facts.ts";
import { LABEL, MARK, REQUEST, TLS_REPLICATION } from "../../model/names.ts";
import type { AdoptAction, CopyAction, ReleaseAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import type { Link } from "../observe/link.ts";
import { serviceFact } from "../watch/service-fact.ts";
import { type ActContext, type ActResult, addressOf, DONE, failed, messageOf, redisLink, refused } from "./context.ts";
import { cutLate, letGo, untilRouted } from "./cut.ts";
import { PAUSE_MS } from "./handover.ts";
import { EQUAL_MS, untilEqual } from "./offsets.ts";
import { persist } from "./persist.ts";
import { historyOf } from "./redis.ts";
import { writeRoute } from "./route.ts";
import { Stopwatch } from "./timeline.ts";

/** So long after the pause the promotion may still begin, ms: far below PAUSE_MS, by our own clock. */
const PAUSE_TRUST_MS = 3000;
const TRY_MS = 500;
/** The Service is given back within this time, ms, or not at all: the pause still holds then. */
const GIVE_BACK_MS = 5000;
const GIVE_BACK_TRY_MS = 1500;
/** How long, and how often, it is asked whether the Service leads to the plain pod. */
const GIVEN_BACK = { withinMs: 2000, askMs: 50 } as const;

const linkTo = (context: ActContext, address: Address): Link | undefined =>
  context.links.redisLinkAt(address) ?? context.links.outsiderLinkAt(address)?.link;

/** REPLICAOF, with or without a password as the source wants it. */
export async function copy(context: ActContext, action: CopyAction): Promise<ActResult> {
  const link = linkTo(context, action.to);
  if (link === undefined) return refused("not connected");
  const open = context.links.outsiderLinkAt(action.from)?.open ?? context.links.password === undefined;
  try {
    await link.call(["CONFIG", "SET", "masterauth", open ? "" : (context.links.password ?? "")]);
    // A plain server has no TLS. Set right again as soon as the group has a master (policies/attach.ts: configure).
    if (speaksTls(context, action.to)) await link.call(["CONFIG", "SET", TLS_REPLICATION, "no"]);
    await link.call(["REPLICAOF", action.from.ip, String(action.from.port)]);
    return DONE;
  } catch (error) {
    return failed(`${action.to.ip}: ${messageOf(error)}`);
  }
}

const speaksTls = ({ facts }: ActContext, { ip, port }: Address): boolean =>
  facts.members.some(({ pod }) => pod.ip === ip && pod.port === port && pod.settings.tlsSecret !== undefined);

/** One end of a hand-over: its link, and where it listens. */
interface End {
  readonly link: Link;
  readonly address: Address;
}

/**
 * Pauses `from` and waits until `to` has every byte; then `to` is a master of its own. Returns what went wrong; then all is as it was before.
 */
async function takeOver(context: ActContext, from: End, to: End, watch: Stopwatch): Promise<string | undefined> {
  const pausedAt = performance.now();
  try {
    await from.link.call(["CLIENT", "PAUSE", String(PAUSE_MS), "WRITE"]);
    watch.mark("paused");
    if (!(await untilEqual(from.link, to.link))) throw new Error(`offsets not equal within ${EQUAL_MS} ms`);
    watch.mark("equal");
    // Nothing is awaited from here to the promotion: a stall of ours before this line is seen by our clock, and after it the pause still has seconds.
    if (performance.now() - pausedAt > PAUSE_TRUST_MS) throw new Error("it took too long after the pause");
    if (!context.leading()) throw new Error("this replica of the handlers no longer leads");
  } catch (error) {
    await persist(from.link, ["CLIENT", "UNPAUSE"]);
    return messageOf(error);
  }
  try {
    await to.link.call(["REPLICAOF", "NO", "ONE"], TRY_MS);
    watch.mark("promoted");
    return undefined;
  } catch (error) {
    // It may have become a master and only its answer was late.
    await goBack(from, to);
    return messageOf(error);
  }
}

/** `to` follows `from` again, and only then writes go on. */
async function goBack(from: End, to: End): Promise<void> {
  await persist(to.link, ["REPLICAOF", from.address.ip, String(from.address.port)]);
  await persist(from.link, ["CLIENT", "UNPAUSE"]);
}

export async function adopt(context: ActContext, action: AdoptAction): Promise<ActResult> {
  const toLink = redisLink(context, action.member);
  const fromLink = context.links.outsiderLinkAt(action.outsider.address)?.link;
  if (toLink === undefined || fromLink === undefined) return refused("not connected");
  const from = { link: fromLink, address: action.outsider.address };
  const to = { link: toLink, address: addressOf(action.member) };
  const watch = new Stopwatch("handover", "adoption", action.outsider.pod);
  const problem = await takeOver(context, from, to, watch);
  if (problem !== undefined) return failed(`adoption of ${action.outsider.pod}: ${problem}`);
  const password = context.links.password ?? "";
  await to.link.call(["CONFIG", "SET", "masterauth", password]).catch(() => undefined);
  await from.link.call(["CONFIG", "SET", "masterauth", password]).catch(() => undefined);
  // Nothing is routed before the old one is known to take no more writes.
  if (!(await persist(from.link, ["REPLICAOF", to.address.ip, String(to.address.port)]))) {
    await persist(to.link, ["REPLICAOF", from.address.ip, String(from.address.port)]);
    await persist(from.link, ["REPLICAOF", "NO", "ONE"]);
    await persist(from.link, ["CLIENT", "UNPAUSE"]);
    return failed(`adoption of ${action.outsider.pod}: it could not be demoted; it serves as before`);
  }
  const history = await historyOf(context, action.member);
  const routed = await writeRoute(context, action.member.pod, action.epoch, REASON.Adopted, history);
  watch.mark("patched");
  if (routed.outcome !== "done") {
    // The patch may have arrived, so going back could lose writes: `bootstrap` and `route` go on from here.
    context.background(cutLate(context, { link: from.link, from: from.address.ip, to: to.address.ip }));
    return failed(
      `${action.member.pod.name} has the data of ${action.outsider.pod}, but the Service was not moved: ${routed.why}`,
    );
  }
  const moved = await untilRouted(context, to.address.ip, from.address.ip);
  if (moved) watch.mark("routed");
  context.background(letGo(context, { link: from.link, from: from.address.ip, to: to.address.ip }, moved));
  context.say(
    REASON.Adopted,
    `${action.member.pod.name} took over the data and the role of ${action.outsider.pod}; ${watch.text()}`,
  );
  return DONE;
}

/** Gives the Service back its own selector, or, where it is one of ours, points it to the pods of the workload by their labels. */
export async function release(context: ActContext, action: ReleaseAction): Promise<ActResult> {
  const fromLink = redisLink(context, action.member);
  const toLink = context.links.outsiderLinkAt(action.outsider.address)?.link;
  if (toLink === undefined || fromLink === undefined) return refused("not connected");
  const from = { link: fromLink, address: addressOf(action.member) };
  const to = { link: toLink, address: action.outsider.address };
  const watch = new Stopwatch("handover", "release", action.member.pod.name);
  const problem = await takeOver(context, from, to, watch);
  if (problem !== undefined) return failed(`release to ${action.outsider.pod}: ${problem}`);
  // The old one is still a master, but paused: demoted it would end at once, and there were no way back.
  const unpatched = await giveBack(context);
  watch.mark("patched");
  if (unpatched !== undefined) {
    await goBack(from, to);
    return failed(`release to ${action.outsider.pod}: the Service could not be given back: ${unpatched}`);
  }
  await persist(to.link, ["CONFIG", "SET", "masterauth", ""]);
  await persist(from.link, ["REPLICAOF", to.address.ip, String(to.address.port)]);
  // Without our label the Service and its EndpointSlices are not watched any more: they are asked for.
  const moved = await untilRouted(context, to.address.ip, from.address.ip, GIVEN_BACK);
  if (moved) watch.mark("routed");
  context.background(letGo(context, { link: from.link, from: from.address.ip, to: to.address.ip }, moved));
  context.say(
    REASON.ServiceGivenBack,
    `${action.outsider.pod} has the data; Service ${context.facts.masterService?.name ?? ""} has its old selector; ${watch.text()}`,
  );
  return DONE;
}

/** Takes our selector, label and marks off the Service. Returns why it could not be done. */
async function giveBack(context: ActContext): Promise<string | undefined> {
  const name = context.facts.masterService?.name;
  if (name === undefined) return "it does not exist";
  const path = PATH.services(context.group.namespace, name);
  const deadline = performance.now() + GIVE_BACK_MS;
  let original: Original | undefined;
  for (let attempt = 1; ; attempt += 1) {
    const timeoutMs = GIVE_BACK_TRY_MS;
    try {
      const service = await context.kube.get<Service>(path, { timeoutMs });
      // Of the first reading: a patch whose answer was lost has taken the marks away.
      original ??= originalOf(service);
      await context.kube.mergePatch(path, givenBack(service, original, context.facts.outsiderSelector), { timeoutMs });
      return undefined;
    } catch (error) {
      if (isNotFound(error) || deadline - performance.now() < GIVE_BACK_TRY_MS) return messageOf(error);
      await sleep(50 * attempt);
    }
  }
}

/** What a Service was like before it was taken over; without a selector: it is one of ours. */
export interface Original {
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly publishNotReady: boolean;
}

export function originalOf(service: Service): Original {
  return {
    selector: serviceFact(service)?.originalSelector,
    publishNotReady: service.metadata?.annotations?.[MARK.originalPublish] === "true",
  };
}

/** The merge patch that undoes what was done to a Service; one of ours selects the pods of the workload from then on. */
export function givenBack(service: Service, original: Original, workload: Readonly<Record<string, string>> = {}): object {
  const { metadata, spec } = service;
  const none = (keys: readonly string[]): Record<string, null> => Object.fromEntries(keys.map((key) => [key, null]));
  const adopted = original.selector !== undefined;
  return {
    metadata: {
      resourceVersion: metadata?.resourceVersion,
      annotations: none([...Object.values(MARK), ...Object.values(REQUEST)]),
      ...(adopted ? { labels: none([LABEL.cluster]) } : {}),
    },
    spec: {
      selector: { ...none(Object.keys(spec?.selector ?? {})), ...(original.selector ?? workload) },
      ...(adopted ? { publishNotReadyAddresses: original.publishNotReady } : {}),
    },
  };
}
