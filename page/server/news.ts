/** The last occurrences that this process told people of, kept in memory for the page. The Events in Kubernetes are the lasting ones. */
import type { Occurrence } from "../../report/report.ts";
import type { NewsItem } from "../wire.ts";
import { levelOf } from "./summary.ts";

/** So many are kept, of all groups together. */
const CAPACITY = 300;

export interface News {
  /** never throws */
  heard(occurrence: Occurrence): void;
  /** those after `seq`, oldest first, and the newest number */
  after(seq: number): readonly NewsItem[];
  readonly newest: number;
}

export function createNews(now: () => number = Date.now): News {
  const items: NewsItem[] = [];
  let seq = 0;
  return {
    heard: ({ reason, message, namespace, cluster, fields }) => {
      seq += 1;
      const lostBytes = fields?.lostBytes;
      items.push({
        seq,
        at: now(),
        reason,
        message,
        level: levelOf(reason),
        ...(namespace === undefined ? {} : { namespace }),
        ...(cluster === undefined ? {} : { cluster }),
        ...(typeof lostBytes === "number" ? { lostBytes } : {}),
      });
      if (items.length > CAPACITY) items.shift();
    },
    after: (known) => items.filter((item) => item.seq > known),
    get newest() {
      return seq;
    },
  };
}
