/**
 * What a group's loop tells people. A notice is told once, and as an Event by the replica that leads: the others see the same. What a replica has done itself it tells
 * itself, also when it does not lead any more: nobody else knows of it.
 */
import type { Notice } from "../../model/plan.ts";
import { REASON, type Reason, WARNING } from "../../model/reasons.ts";
import type { GroupOptions } from "./source.ts";

const BETWEEN = " ";
const keyOf = (reason: Reason, subject: string | undefined): string =>
  subject === undefined ? reason : `${reason}${BETWEEN}${subject}`;

/** Notices of what every replica does, the Service's move: what one has done before the other looked, that one never sees. */
const OF_EACH: ReadonlySet<Reason> = new Set([REASON.MasterRouted, REASON.SelectorRepaired]);

/** What every replica does or finds out by itself, each the same. */
const OF_ALL: ReadonlySet<Reason> = new Set([
  REASON.ConnectionsCut,
  REASON.GroupCertificateStale,
  REASON.GroupCertificateRenewed,
]);

interface Told {
  readonly message: string;
  /** by a replica that led: the Event is written */
  readonly led: boolean;
}

export class GroupVoice {
  readonly #options: Pick<GroupOptions, "reporter" | "group" | "source">;
  /** by reason, and by subject where a reason can have several at once */
  readonly #told = new Map<string, Told>();

  constructor(options: Pick<GroupOptions, "reporter" | "group" | "source">) {
    this.#options = options;
  }

  /** The notices of one round; one that was gone in between is told again. */
  tell(notices: readonly Notice[]): void {
    const now = new Map<string, Notice>(notices.map((notice) => [notice.reason, notice]));
    for (const key of this.#told.keys()) if (!key.includes(BETWEEN) && !now.has(key)) this.#told.delete(key);
    for (const notice of now.values()) this.stands(notice);
  }

  /**
   * Something that is so for a while: told once, and again when its text changes. A warning is told once more by a replica that has come to lead meanwhile: as long as
   * nobody leads, as after a start of all replicas, no Event is written.
   */
  stands({ reason, message }: Notice, subject?: string): void {
    const key = keyOf(reason, subject);
    const before = this.#told.get(key);
    const led = this.#options.source.leading();
    if (before?.message === message && (before.led || !led || !WARNING.has(reason))) return;
    this.#told.set(key, { message, led });
    this.#report(reason, message, led || OF_EACH.has(reason));
  }

  /** It is over; the next time it is news again. */
  over(reason: Reason, subject?: string): void {
    this.#told.delete(keyOf(reason, subject));
  }

  /** Something that was done. */
  say(reason: Reason, message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#report(reason, message, !OF_ALL.has(reason) || this.#options.source.leading(), fields);
  }

  #report(reason: Reason, message: string, event: boolean, fields?: Readonly<Record<string, unknown>>): void {
    const { reporter, group, source } = this.#options;
    const involved = event ? source.involved() : [];
    reporter.report({ reason, message, ...group, involved, ...(fields === undefined ? {} : { fields }) });
  }
}
