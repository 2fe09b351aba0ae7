/** Un-injected pods of the group's workloads, looked for only where they matter: before the bootstrap (adoption), and when every injected pod is going (release). */
import type { GroupFacts, PodFact } from "../../model/facts.ts";
import { REASON } from "../../model/reasons.ts";
import { messageOf } from "../act/context.ts";
import type { GroupLinks } from "../observe/group-links.ts";
import { CLAIMED } from "../policies/route.ts";
import type { GroupOptions } from "./source.ts";

type Found = Pick<GroupFacts, "outsiders" | "outsiderSelector">;

export class Outsiders {
  readonly #options: Pick<GroupOptions, "source" | "log" | "group">;
  readonly #links: GroupLinks;
  /** the last thing that was wrong, so that it is logged once */
  #complaint: string | undefined;

  constructor(options: Pick<GroupOptions, "source" | "log" | "group">, links: GroupLinks) {
    this.#options = options;
    this.#links = links;
  }

  /** Undefined: it could not be told, and without a record of a master nothing may be decided then. */
  async read(pods: readonly PodFact[]): Promise<Found | undefined> {
    const { source, log, group } = this.#options;
    const record = source.masterService(source.masterServiceName())?.record;
    const redis = pods.filter(({ hasRedis, ended }) => hasRedis && !ended);
    const matters =
      record === undefined || record.reason === CLAIMED || (redis.length > 0 && redis.every(({ terminating }) => terminating));
    try {
      const found = matters && redis.length > 0 ? await source.outsiders() : { pods: [], selector: undefined };
      return { outsiders: await this.#links.readOutsiders(found.pods), outsiderSelector: found.selector };
    } catch (error) {
      const why = messageOf(error);
      if (this.#complaint !== why)
        log.warn({ ...group, reason: REASON.ActFailed, err: why }, "un-injected pods of the workload could not be listed");
      this.#complaint = why;
      // Not knowing whether somebody holds the data is not the same as nobody: no bootstrap in this round.
      return record === undefined ? undefined : { outsiders: [], outsiderSelector: undefined };
    }
  }
}
