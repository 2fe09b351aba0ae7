/** Moves the master Service's selector and keeps the record of who is master: one conditional patch, retried until it holds or a newer one is seen. */

import { setTimeout as sleep } from "node:timers/promises";
import { isConflict, isNotFound, KubeError } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { Service } from "../../kube/types.ts";
import type { Address, GroupFacts, MasterRecord, PodFact, ServiceFact } from "../../model/facts.ts";
import { LABEL, MARK, REQUEST } from "../../model/names.ts";
import type { RouteAction } from "../../model/plan.ts";
import { REASON, type Reason } from "../../model/reasons.ts";
import { CLAIMED } from "../policies/route.ts";
import { firstMaster, nameAt } from "../policies/view.ts";
import { serviceFact } from "../watch/service-fact.ts";
import { type ActContext, type ActResult, DONE, failed, messageOf, refused } from "./context.ts";
import { cutAfterRouting } from "./cut.ts";
import { Stopwatch } from "./timeline.ts";
import { Late, Tries } from "./tries.ts";

export const HISTORY_LENGTH = 20;
/** Answers that were none: refusals, conflicts, broken connections. */
const ATTEMPTS = 6;
/** After this time the next try begins beside the one that has no answer, ms: that one's connection may lead nowhere. */
const TRY_MS = 2000;
/** How the Service is meanwhile is asked for so long, ms. */
const LOOK_MS = 500;
/**
 * So long may an answer take nevertheless, ms. Any write waits for other people's admission webhooks, and for one that is dead its `timeoutSeconds`: 10 where
 * nothing is said, 30 at most. A try that was given up sooner would be given up each time, and the Service would never move.
 */
const SLOW_MS = 31_000;

export function recordOf(pod: PodFact, epoch: number, reason: string, replid: string, since: string): MasterRecord {
  return {
    pod: pod.name,
    uid: pod.uid,
    instance: pod.instance,
    ip: pod.ip ?? "",
    ...(pod.volume === undefined ? {} : { volume: pod.volume }),
    epoch,
    since,
    reason,
    ...(replid === "" ? {} : { replid }),
  };
}

/** The selector as a merge patch: our two labels, and null for every other key that somebody (or an adopted Service) has. */
export function selectorPatch(
  cluster: string,
  instance: string,
  present: Readonly<Record<string, string>>,
): Record<string, string | null> {
  const removed = Object.keys(present).filter((key) => key !== LABEL.instance && key !== LABEL.cluster);
  return { ...Object.fromEntries(removed.map((key) => [key, null])), [LABEL.cluster]: cluster, [LABEL.instance]: instance };
}

/**
 * A change of master answers a request for a handover, unless that names another pod. Removed with the very patch that moves the Service, whoever of the
 * handlers writes it: so nobody ever sees the new master beside the old request, which would move it once more.
 */
function answers(facts: GroupFacts, service: ServiceFact, master: PodFact): boolean {
  const asked = service.requests.handover;
  if (asked === undefined || service.record === undefined || service.record.uid === master.uid) return false;
  return !facts.members.some(({ pod }) => pod.name === asked && pod.uid !== master.uid);
}

/** Writes selector and record onto the Service as it is now. Refused when the Service already records a higher epoch. */
export async function writeRoute(
  context: ActContext,
  pod: PodFact,
  epoch: number,
  reason: Reason,
  replid: string,
): Promise<ActResult> {
  const tries = new Tries<Service>();
  return await patchUntilTaken(context, tries, { pod, epoch, reason, replid }).finally(() => tries.stop());
}

async function patchUntilTaken(
  { kube, group, facts, learnService, say }: ActContext,
  tries: Tries<Service>,
  { pod, epoch, reason, replid }: Pick<RouteAction, "pod" | "epoch" | "reason" | "replid">,
): Promise<ActResult> {
  let service: ServiceFact | undefined = facts.masterService;
  if (service === undefined) return refused("the master Service does not exist yet");
  const path = PATH.services(group.namespace, service.name);
  let problem = "";
  const startedAt = performance.now();
  const began = new Date().toISOString();
  /** A try without a verdict: its patch may have been taken. */
  let unsure = false;
  // Whose patch it was tells: the handler that promoted may have died or lost the Lease before its next line.
  const done = (taken: MasterRecord, ours = unsure): ActResult => {
    if (ours && taken.reason === REASON.Bootstrapped && taken.since === began) say(REASON.Bootstrapped, firstMaster(pod));
    return DONE;
  };
  let failures = 0;
  for (let attempt = 0; failures < ATTEMPTS && performance.now() - startedAt < SLOW_MS; attempt += 1) {
    if (service === undefined) return failed("the master Service is gone");
    const before = service.record;
    if (before !== undefined && before.epoch > epoch && before.uid !== pod.uid && attempt > 0)
      return refused(`the Service records epoch ${before.epoch} by now`);
    // The other handler, or we ourselves a moment ago, before our watch told: its reason and time stay.
    if (attempt > 0 && before !== undefined && leadsTo(service, pod, epoch)) return done(before);
    // A repaired selector, a newer epoch or a new history is no new reign: why and when it began stays. A claim that has come true is the first one.
    const same = before !== undefined && before.uid === pod.uid && before.reason !== CLAIMED;
    const first = before?.uid === pod.uid && !same;
    const [why, since] = same ? [before.reason, before.since] : [first ? REASON.Bootstrapped : reason, began];
    const record = recordOf(pod, epoch, why, replid, since);
    const history =
      before === undefined || before.uid === pod.uid ? service.history : [before, ...service.history].slice(0, HISTORY_LENGTH);
    const patch = {
      metadata: {
        resourceVersion: service.resourceVersion,
        annotations: {
          [MARK.master]: JSON.stringify(record),
          [MARK.history]: JSON.stringify(history),
          ...(answers(facts, service, pod) ? { [REQUEST.handover]: null } : {}),
          ...(service.requests.promote === pod.name ? { [REQUEST.promote]: null } : {}),
        },
      },
      // A Service that was taken over leads to the new master before its pod is Ready, like ours (law 4).
      spec: { selector: selectorPatch(group.cluster, pod.instance, service.selector), publishNotReadyAddresses: true },
    };
    try {
      const options = { timeoutMs: SLOW_MS, signal: tries.signal };
      learnService(await tries.add(kube.mergePatch<Service>(path, patch, options), TRY_MS));
      return done(record, true);
    } catch (error) {
      problem = messageOf(error);
      if (isNotFound(error)) return failed("the master Service is gone");
      const late = error instanceof Late;
      if (!late) failures += 1;
      if (!isConflict(error)) unsure = true;
      if (!late && !isConflict(error)) await sleep(waitAfter(error, failures));
      // A connection that leads nowhere takes those that idle beside it along only when its own time is over: that has to be soon.
      service = await kube
        .get<Service>(path, { timeoutMs: late ? LOOK_MS : TRY_MS })
        .then((found) => {
          learnService(found);
          return serviceFact(found);
        })
        .catch(() => service);
    }
  }
  return service?.record !== undefined && leadsTo(service, pod, epoch) ? done(service.record) : failed(problem);
}

/** A busy server names a time; a failover that waits for its route does not wait longer than this, ms. */
const BUSY_MS = 1000;

function waitAfter(error: unknown, failures: number): number {
  const asked = error instanceof KubeError ? error.retryAfterMs : undefined;
  return asked === undefined ? 50 * failures : Math.min(asked, BUSY_MS);
}

function leadsTo({ selector, record }: ServiceFact, pod: PodFact, epoch: number): boolean {
  const recorded = record !== undefined && record.uid === pod.uid && record.ip === pod.ip && record.epoch >= epoch;
  return recorded && record.reason !== CLAIMED && selector[LABEL.instance] === pod.instance;
}

/** The act: route, then cut the connections that still lead to the former master. */
export async function route(context: ActContext, action: RouteAction): Promise<ActResult> {
  const { pod, epoch, reason, replid, previous, since } = action;
  const watch = new Stopwatch("sentinel", reason, previous === undefined ? "" : nameAt(context.facts, previous), since);
  const result = await writeRoute(context, pod, epoch, reason, replid);
  if (result.outcome === "done" && previous !== undefined) {
    watch.mark("patched");
    watch.timeline.to = pod.name;
    watch.timeline.outcome = result.outcome;
    context.background(follow(context, pod.ip ?? "", previous, watch));
  }
  return result;
}

/** Both replicas of the handlers cut, one of them keeps the story: of a change that was not of their own making. */
async function follow(context: ActContext, to: string, previous: Address, watch: Stopwatch): Promise<void> {
  if (await cutAfterRouting(context, to, previous)) watch.mark("cut");
  const repaired = watch.timeline.cause === REASON.SelectorRepaired;
  if (context.leading() && !repaired) context.recordTimeline(watch.timeline);
}
