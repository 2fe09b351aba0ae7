/**
 * Un-injected pods of the group's workloads, looked for only where they matter: before the bootstrap (adoption), when every injected pod is going (release),
 * and before a group whose data is gone begins anew.
 */
import type { GroupFacts, MasterRecord, PodFact } from "../../model/facts.ts";
import { REASON } from "../../model/reasons.ts";
import { messageOf } from "../act/context.ts";
import type { GroupLinks } from "../observe/group-links.ts";
import { hasOwnData } from "../policies/adopt.ts";
import { CLAIMED } from "../policies/route.ts";
import type { GroupOptions } from "./source.ts";

type Found = Pick<GroupFacts, "outsiders" | "outsiderSelector" | "outsidersUnread">;

export class Outsiders {
  readonly #options: Pick<GroupOptions, "source" | "log" | "group">;
  readonly #links: GroupLinks;
  /** the last thing that was wrong, so that it is logged once */
  #complaint: string | undefined;

  constructor(options: Pick<GroupOptions, "source" | "log" | "group">, links: GroupLinks) {
    this.#options = options;
    this.#links = links;
  }

  /**
   * Undefined: it could not be told, and without a record of a master nothing may be decided then.
   * @param before the facts of the round before, if that was one without a master
   */
  async read(pods: readonly PodFact[], before: GroupFacts | undefined): Promise<Found | undefined> {
    const { source, log, group } = this.#options;
    const record = source.masterService(source.masterServiceName())?.record;
    const redis = pods.filter(({ hasRedis, ended }) => hasRedis && !ended);
    const going = redis.length > 0 && redis.every(({ terminating }) => terminating);
    const matters = record === undefined || record.reason === CLAIMED || going || nobodyHasData(record, before);
    try {
      const found = matters && redis.length > 0 ? await source.outsiders() : { pods: [], selector: undefined };
      const outsiders = await this.#links.readOutsiders(found.pods);
      return { outsiders, outsiderSelector: found.selector, outsidersUnread: !matters };
    } catch (error) {
      const why = messageOf(error);
      if (this.#complaint !== why)
        log.warn({ ...group, reason: REASON.ActFailed, err: why }, "un-injected pods of the workload could not be listed");
      this.#complaint = why;
      // Not knowing whether somebody holds the data is not the same as nobody: no bootstrap in this round.
      return record === undefined ? undefined : { outsiders: [], outsiderSelector: undefined, outsidersUnread: true };
    }
  }
}

/**
 * The master's pod is gone, and all who answered are empty: a recovery would begin with nothing, so it is worth to look for the data elsewhere. Never so in
 * a failover, which must not wait for the API server.
 */
function nobodyHasData(record: MasterRecord, before: GroupFacts | undefined): boolean {
  if (before === undefined || before.members.some(({ pod }) => pod.uid === record.uid)) return false;
  return before.members.every(({ redis }) => redis?.state !== "up" || !hasOwnData(before, redis));
}
