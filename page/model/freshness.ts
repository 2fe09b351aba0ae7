/** Whether what is shown is the present: the connection, and the age of the facts behind it. Never more than is known. Pure. */
import type { GroupRow, Replica } from "../wire.ts";
import { TICK_MS } from "../wire.ts";
import { clock } from "./text.ts";

/** What the browser knows of its stream. Times are ms by the browser's clock. */
export interface Connection {
  readonly state: "connecting" | "open" | "full";
  /** when anything was last heard; undefined: never */
  readonly heardAt: number | undefined;
}

/** Silent for so long, the connection is lost, whatever the browser says: three ticks, ms. */
export const SILENT_MS = 3 * TICK_MS;

export interface Banner {
  readonly tone: "warn" | "bad";
  readonly text: string;
}

export const isLive = ({ state, heardAt }: Connection, now: number): boolean =>
  state === "open" && heardAt !== undefined && now - heardAt < SILENT_MS;

/** What stands above everything else, the same text as long as nothing changes (it is read out); undefined: what is shown is the present. */
export function bannerOf(connection: Connection, replica: Replica | undefined, now: number): Banner | undefined {
  const { heardAt } = connection;
  if (connection.state === "full") {
    return { tone: "warn", text: "This replica of redis-ha has too many readers already. Trying again." };
  }
  if (heardAt === undefined) {
    return connection.state === "open" ? undefined : { tone: "warn", text: "Connecting to redis-ha…" };
  }
  if (!isLive(connection, now)) {
    return {
      tone: "bad",
      text: `No answer from redis-ha since ${clock(heardAt)}. What you see is how it was then. Trying again.`,
    };
  }
  if (replica !== undefined && !replica.handlers) {
    return { tone: "warn", text: `${replica.pod} runs no handlers, or they are still starting: it knows no groups.` };
  }
  return undefined;
}

/** Of one group: its facts are old although the replica answers. */
export function staleBanner({ staleSince }: GroupRow): Banner | undefined {
  if (staleSince === undefined) return undefined;
  return {
    tone: "bad",
    text: `This replica has not read the group since ${clock(staleSince)}: its loop hangs. What you see is how it was then.`,
  };
}

/** Who answers, and what that means. */
export function replicaText({ pod, leads, leader, version }: Replica): { short: string; long: string } {
  if (leads) return { short: "leads", long: `${pod} answers, version ${version}. It leads: it is the one that acts.` };
  const other = leader === undefined || leader === pod ? "nobody is known to" : `${leader} does`;
  return {
    short: "does not lead",
    long: `${pod} answers, version ${version}. It does not lead (${other}): it observes the same facts, but events and timelines of what the leader did are only there.`,
  };
}
