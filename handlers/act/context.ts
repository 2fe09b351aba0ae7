/** What every act may use. One object per group, made by the group's loop. */
import type { Kube } from "../../kube/client.ts";
import type { Service } from "../../kube/types.ts";
import type { Address, GroupFacts, GroupId, MemberFact } from "../../model/facts.ts";
import type { Reason } from "../../model/reasons.ts";
import type { Timeline } from "../../model/timeline.ts";
import type { Logger } from "../../report/log.ts";
import type { GroupLinks } from "../observe/group-links.ts";
import type { Link } from "../observe/link.ts";

export interface Endpoints {
  /** addresses behind the master Service now, as the EndpointSlice watch tells; undefined before the first slice is seen */
  addresses(): ReadonlySet<string> | undefined;
  /** uids of the pods behind it */
  pods(): readonly string[];
  /** resolves true as soon as `done` holds, false after `withinMs` */
  until(done: (addresses: ReadonlySet<string>) => boolean, withinMs: number): Promise<boolean>;
}

export interface ActContext {
  readonly kube: Kube;
  readonly group: GroupId;
  readonly links: GroupLinks;
  readonly log: Logger;
  readonly endpoints: Endpoints;
  /** this process holds the Lease now, not only when the round began */
  leading(): boolean;
  /** tells people; the same word in the Event, the log and the metric */
  say(reason: Reason, message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** the API server's answer about the master Service: the next round need not wait for its watch */
  learnService(service: Service): void;
  /** keeps the steps of a change of master: histograms, the last ones in memory and on the master Service */
  recordTimeline(timeline: Timeline): void;
  /** something that goes on after the act has returned, bounded by itself; errors are logged */
  background(work: Promise<unknown>): void;
  /** the newest facts of the round in which the act runs */
  readonly facts: GroupFacts;
}

/** done: the facts will show it. refused: somebody else is at it, or a condition no longer holds. failed: an error, told in `why`. */
export type ActResult =
  | { readonly outcome: "done" }
  | { readonly outcome: "refused"; readonly why: string }
  | { readonly outcome: "failed"; readonly why: string };

export const DONE: ActResult = { outcome: "done" };
export const refused = (why: string): ActResult => ({ outcome: "refused", why });
export const failed = (why: string): ActResult => ({ outcome: "failed", why });

export const NOT_LEADING = "this replica of the handlers no longer leads";

/** The redis link of a member, or undefined while there is none. */
export const redisLink = (context: ActContext, member: MemberFact): Link | undefined => context.links.redisLink(member.pod.uid);
export const sentinelLink = (context: ActContext, member: MemberFact): Link | undefined =>
  context.links.sentinelLink(member.pod.uid);

/** Address of a member's redis; acts are only planned for members that have one. */
export function addressOf(member: MemberFact): Address {
  return { ip: member.pod.ip ?? "", port: member.pod.port };
}

/** The text of whatever was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
