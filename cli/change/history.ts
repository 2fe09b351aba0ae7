/** The changes of master of a group, the newest first: the handlers' accounts, and the bare records on the Service for what they do not know. Pure. */
import type { Timeline } from "../../handlers/act/timeline.ts";
import { reasonOfChange } from "../../model/change-reason.ts";
import type { MasterRecord } from "../../model/facts.ts";
import { REASON } from "../../model/reasons.ts";

export interface Change {
  /** ISO time */
  readonly at: string;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  /** the handlers' account; undefined where only the record is left */
  readonly timeline: Timeline | undefined;
}

/** A record is written within a second of its act; a handover's begins up to its calm and patience earlier. */
const SAME_MS = 30_000;

/** A claim of the bootstrap is no reign. */
const isReign = ({ epoch, reason }: MasterRecord): boolean => epoch > 0 || reason !== REASON.WaitingForPods;

/** Whether a record and an account are of the same change. */
export const isOf = (record: MasterRecord, timeline: Timeline): boolean =>
  record.pod === timeline.to && Math.abs(Date.parse(record.since) - Date.parse(timeline.startedAt)) < SAME_MS;

/** @param records the present master's record, then the former ones, newest first */
export function changes(timelines: readonly Timeline[], records: readonly MasterRecord[]): Change[] {
  const reigns = records.filter(isReign);
  const used = new Set<MasterRecord>();
  const told = timelines.map((timeline): Change => {
    const record = reigns.find((one) => !used.has(one) && isOf(one, timeline));
    if (record !== undefined) used.add(record);
    return {
      at: timeline.startedAt,
      from: timeline.from,
      to: timeline.to,
      reason: reasonOfChange(record?.reason ?? REASON.MasterRouted, timeline.kind),
      timeline,
    };
  });
  const bare = reigns.flatMap((record, index): Change[] =>
    used.has(record)
      ? []
      : [{ at: record.since, from: reigns[index + 1]?.pod ?? "", to: record.pod, reason: record.reason, timeline: undefined }],
  );
  return [...told, ...bare].sort((a, b) => (a.at < b.at ? 1 : -1));
}
