/** The ten seconds: what is master, since when, why, whether data was lost, what to do. Pure. */

import { reasonOfChange } from "../../model/change-reason.ts";
import { REASON } from "../../model/reasons.ts";
import type { GroupDetail, NewsItem, Note } from "../wire.ts";
import { type Advice, adviceFor } from "./advice.ts";
import { changeOf, type Loss, lossOf } from "./loss.ts";
import { clock } from "./text.ts";
import { because, downWord, STATE, type StateWord, wordOf } from "./words.ts";

export interface Verdict {
  readonly state: StateWord;
  /** one sentence for the state */
  readonly headline: string;
  /** confirmed now */
  readonly master: string | undefined;
  /** the last confirmed one, where there is none now */
  readonly lastMaster: string | undefined;
  /** ms since 1970: since when it is master, or since when nobody is */
  readonly since: number | undefined;
  readonly why: { readonly text: string; readonly cause: string | undefined; readonly reason: string } | undefined;
  readonly loss: Loss | undefined;
  readonly advice: readonly Advice[];
  /** notes to be read, the worst first */
  readonly notes: readonly Note[];
}

export function verdictOf(group: GroupDetail, news: readonly NewsItem[]): Verdict {
  const notes = notesOf(group);
  const common = { state: wordOf(group), headline: headlineOf(group), advice: adviceFor(group), notes };
  return group.master === undefined
    ? { ...common, ...without(group, notes) }
    : { ...common, ...under(group, group.master, news) };
}

type Answers = Pick<Verdict, "master" | "lastMaster" | "since" | "why" | "loss">;

function under(group: GroupDetail, master: string, news: readonly NewsItem[]): Answers {
  // The record may lag behind a change by the moment that the patch of the Service takes.
  const record = group.record?.pod === master ? group.record : undefined;
  const change = record === undefined ? undefined : changeOf(record, group.changes);
  const reason = record === undefined ? "" : reasonOfChange(record.reason, change?.kind);
  return {
    master,
    lastMaster: undefined,
    since: record === undefined ? undefined : Date.parse(record.since),
    why: record === undefined ? undefined : { text: because(reason), cause: change?.cause, reason },
    loss: record === undefined ? undefined : lossOf(group, record, news),
  };
}

function without(group: GroupDetail, notes: readonly Note[]): Answers {
  const { record, lostAt, state } = group;
  const [first] = notes;
  const silent = whatOf(group);
  return {
    master: undefined,
    lastMaster: record?.pod,
    since: state === "unknown" ? undefined : lostAt,
    why:
      first !== undefined
        ? // Its message stands right below, in full.
          { text: "", cause: undefined, reason: first.reason }
        : silent === undefined
          ? undefined
          : { text: silent, cause: undefined, reason: "Not confirmed" },
    loss:
      record === undefined
        ? undefined
        : { kind: "unknown", short: "Not yet known", text: "It depends on who becomes master. Writes fail until then." },
  };
}

/** What is the matter with the last master. */
function whatOf({ record, members }: GroupDetail): string | undefined {
  if (record === undefined) return undefined;
  const redis = members.find(({ pod }) => pod === record.pod)?.redis;
  if (redis === undefined) return `${record.pod}, the last master, is gone.`;
  if (redis.state !== "up") return `${record.pod}, the last master, ${downWord(redis.state)}.`;
  return redis.role === "master"
    ? `${record.pod} says that it is master, but no majority names it.`
    : `${record.pod}, the last master, is a replica now.`;
}

const RANK = { halted: 0, warning: 1, info: 2 } as const;

/** The halt is on the Service, so that every replica can tell it. */
function notesOf({ notes, service, state }: GroupDetail): Note[] {
  const sorted = [...notes].sort((a, b) => RANK[a.level] - RANK[b.level]);
  if (state !== "halted" || service.halted === undefined || notes.some(({ level }) => level === "halted")) return sorted;
  const [reason = "", ...rest] = service.halted.split(": ");
  return [{ reason, message: rest.join(": "), level: "halted" }, ...sorted];
}

function headlineOf(group: GroupDetail): string {
  const { redis, sentinels, state, staleSince } = group;
  if (staleSince !== undefined)
    return `When it was last read, at ${clock(staleSince)}, it was: ${STATE[state].word.toLowerCase()}.`;
  switch (state) {
    case "ok":
      return "Everything is as it should be.";
    case "handover":
      return "The master is being moved; writes pause for a moment.";
    case "halted":
      return "Nobody is master, and redis-ha will not choose: a person has to.";
    case "masterless":
      return "Nobody is confirmed as master. Writes fail.";
    case "waiting":
      return "Nobody is master yet; redis-ha waits for what it names below.";
    case "unknown":
      return "This replica of redis-ha has not read the group yet.";
    case "degraded": {
      const missing = [
        redis.up < redis.all ? `${redis.up} of ${redis.all} redis answer` : "",
        sentinels.up < sentinels.all ? `${sentinels.up} of ${sentinels.all} sentinels answer` : "",
      ].filter((text) => text !== "");
      if (group.notes.some(({ reason }) => reason === REASON.EndpointsLate)) missing.push("new connections are not led to it");
      return `The master works${missing.length === 0 ? "" : `, but ${missing.join(" and ")}`}.`;
    }
  }
}
