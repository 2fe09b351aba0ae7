/** What a group's loop tells people: each notice once, and Events only from the replica that leads. */
import type { Notice } from "../../model/plan.ts";
import { REASON, type Reason } from "../../model/reasons.ts";
import type { GroupOptions } from "./source.ts";

export class GroupVoice {
  readonly #options: Pick<GroupOptions, "reporter" | "group" | "source">;
  readonly #told = new Map<Reason, string>();

  constructor(options: Pick<GroupOptions, "reporter" | "group" | "source">) {
    this.#options = options;
  }

  /** A notice is told once, and again when its text changes or it was gone in between. */
  tell(notices: readonly Notice[]): void {
    const now = new Map(notices.map(({ reason, message }) => [reason, message]));
    for (const reason of this.#told.keys()) if (!now.has(reason)) this.#told.delete(reason);
    for (const [reason, message] of now) {
      if (this.#told.get(reason) === message) continue;
      this.#told.set(reason, message);
      this.say(reason, message);
    }
  }

  say(reason: Reason, message: string, fields?: Readonly<Record<string, unknown>>): void {
    const { reporter, group, source } = this.#options;
    // A replica of the handlers that does not lead keeps quiet: the leader says the same.
    const involved = source.leading() || reason === REASON.MasterRouted ? source.involved() : [];
    reporter.report({ reason, message, ...group, involved, ...(fields === undefined ? {} : { fields }) });
  }
}
