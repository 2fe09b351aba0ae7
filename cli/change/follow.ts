/** Follows a change of master that a person asked for, until it is done, refused or too late. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Timeline } from "../../handlers/act/timeline.ts";
import type { GroupView } from "../../handlers/group.ts";
import { PATH } from "../../kube/paths.ts";
import type { CoreEvent } from "../../kube/types.ts";
import type { GroupFacts } from "../../model/facts.ts";
import { REASON, WARNING } from "../../model/reasons.ts";
import { EXIT, Problem } from "../exit.ts";
import { askHandlers } from "../handlers.ts";
import { haltedOf } from "../status/from-handlers.ts";
import type { GroupName, Target } from "../target.ts";

/** The group's own account, or a sentence why there is none. */
export async function viewOf(target: Target, group: GroupName): Promise<GroupView> {
  const answer = await askHandlers(target);
  if (!answer.ok)
    throw new Problem(
      `nobody would act: ${answer.why}. See redis-ha doctor. Without the handlers Sentinel still fails over by itself.`,
    );
  const found = answer.groups.find((view) => view.group.namespace === group.namespace && view.group.cluster === group.cluster);
  if (found === undefined) {
    const known = answer.groups.map((view) => `${view.group.namespace}/${view.group.cluster}`).join(", ");
    throw new Problem(
      `the handlers know no group ${group.namespace}/${group.cluster}${known === "" ? "" : `; they know: ${known}`}`,
    );
  }
  return found;
}

/**
 * What there is to plan with.
 * @throws Problem where the handlers can't look at the group, so that nobody would do what is asked, or have not looked yet
 */
export function factsOf(view: GroupView): GroupFacts {
  const halted = haltedOf(view);
  const name = `${view.group.namespace}/${view.group.cluster}`;
  if (halted !== undefined) throw new Problem(`nothing can be done for ${name} now. ${halted}`, EXIT.refused);
  if (view.facts === undefined) throw new Problem(`the handlers have only just met ${name}; try again in a second`);
  return view.facts;
}

/** Writes a request onto the master Service, as `kubectl annotate` would. */
export async function ask(target: Target, group: GroupName, service: string, key: string, value: string): Promise<void> {
  await target.kube.mergePatch(PATH.services(group.namespace, service), { metadata: { annotations: { [key]: value } } });
}

const startOf = ({ startedAt }: Timeline): string => startedAt;

export interface Followed {
  readonly to: string;
  /** the handlers' account; undefined when it did not come in time */
  readonly timeline: Timeline | undefined;
  /** Events told meanwhile */
  readonly events: readonly { readonly reason: string; readonly message: string }[];
}

export interface Following {
  readonly target: Target;
  readonly group: GroupName;
  readonly service: string;
  /** the view before the request */
  readonly before: GroupView;
  readonly withinMs: number;
  readonly say: (line: string) => void;
  /** the pod that was asked for, once it is master; undefined before */
  readonly reached: (facts: GroupFacts) => string | undefined;
}

const EVERY_MS = 250;
/** The account is kept a moment after the deed: old connections are cut for a while. */
const ACCOUNT_MS = 8000;
const FINAL: ReadonlySet<string> = new Set([REASON.RequestRefused, REASON.HandoverImpossible]);

/** @throws Problem when the handlers refuse, or when it takes too long */
export async function follow(following: Following): Promise<Followed> {
  const { target, group, service, before, withinMs, say, reached } = following;
  const known = new Set(before.timelines.map(startOf));
  const earlier = new Set((await events(target, group, service)).map(identity));
  const told: { reason: string; message: string }[] = [];
  const start = performance.now();
  let done: string | undefined;
  let doneAt = 0;
  for (;;) {
    for (const event of await events(target, group, service)) {
      const id = identity(event);
      if (earlier.has(id)) continue;
      earlier.add(id);
      const { reason = "", message = "" } = event;
      told.push({ reason, message });
      say(`${String(Math.round(performance.now() - start)).padStart(6)} ms  ${reason}: ${message}`);
      if (FINAL.has(reason)) throw new Problem(`the handlers did not do it: ${message}`, EXIT.refused);
    }
    const view = await viewOf(target, group).catch(() => undefined);
    if (done === undefined && view?.facts !== undefined) {
      done = reached(view.facts);
      doneAt = performance.now();
    }
    const timeline = view?.timelines.find((one) => !known.has(startOf(one)) && one.to === done);
    if (done !== undefined && (timeline !== undefined || performance.now() - doneAt > ACCOUNT_MS))
      return { to: done, timeline, events: told };
    if (done === undefined && performance.now() - start > withinMs) throw tooLate(following, told);
    await sleep(EVERY_MS);
  }
}

function tooLate({ group, service, withinMs }: Following, told: readonly { reason: string; message: string }[]): Problem {
  const last = told.filter(({ reason }) => WARNING.has(reason as never)).at(-1);
  const why = last === undefined ? "" : ` The last thing that was said: ${last.message}.`;
  return new Problem(
    `it is not done after ${Math.round(withinMs / 1000)} s.${why} The request stays on the Service ${service}; see redis-ha status ${group.namespace}/${group.cluster}`,
    EXIT.refused,
  );
}

async function events(target: Target, { namespace }: GroupName, service: string): Promise<CoreEvent[]> {
  const fieldSelector = `involvedObject.kind=Service,involvedObject.name=${service}`;
  const { items } = await target.kube.list<CoreEvent>(PATH.events(namespace), { query: { fieldSelector } });
  return items.sort((a, b) => ((a.lastTimestamp ?? "") < (b.lastTimestamp ?? "") ? -1 : 1));
}

/** A repeated Event is counted up, and then it is news again. */
const identity = ({ metadata, count }: CoreEvent): string => `${metadata?.uid ?? ""} ${count ?? 1}`;
