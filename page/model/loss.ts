/** Whether data was lost with the last change of master: said only as far as it is known. Pure. */
import { REASON } from "../../model/reasons.ts";
import type { Change, GroupDetail, NewsItem, Reign } from "../wire.ts";
import { bytes } from "./text.ts";

export interface Loss {
  /** none: ruled out by how it was done. lost: measured. unmeasured: cannot be told from outside. unknown: this replica did not see it. */
  readonly kind: "none" | "lost" | "unmeasured" | "unknown";
  readonly short: string;
  readonly text: string;
}

const NONE = "None";
/** A change is the one that made a reign when it began so long before or after it, ms. The record is written between promotion and the end. */
const NEAR_MS = { before: 30_000, after: 2_000 } as const;

/** The change that brought this reign, where this replica knows it. */
export function changeOf(reign: Reign, changes: readonly Change[]): Change | undefined {
  const since = Date.parse(reign.since);
  return changes.find(({ to, startedAt }) => {
    const started = Date.parse(startedAt);
    return to === reign.pod && started >= since - NEAR_MS.before && started <= since + NEAR_MS.after;
  });
}

/** @param record the present master's */
export function lossOf(group: GroupDetail, record: Reign, news: readonly NewsItem[]): Loss {
  const began = Date.parse(record.since) - NEAR_MS.after;
  const measured = news.filter(
    ({ namespace, cluster, reason, at }) =>
      reason === REASON.WritesLost && namespace === group.namespace && cluster === group.cluster && at >= began,
  );
  if (measured.length > 0) {
    const known = measured.every(({ lostBytes }) => lostBytes !== undefined);
    const total = measured.reduce((sum, { lostBytes }) => sum + (lostBytes ?? 0), 0);
    return {
      kind: "lost",
      short: known ? bytes(total) : "Yes",
      text: measured.map(({ message }) => `${message}.`).join(" "),
    };
  }
  return byManner(changeOf(record, group.changes)?.kind ?? kindOfReason(record.reason));
}

function kindOfReason(reason: string): string {
  switch (reason) {
    case REASON.HandedOver:
    case REASON.Adopted:
      return "handover";
    case REASON.Bootstrapped:
      return "bootstrap";
    case REASON.FailedOver:
    case REASON.FailoverBySentinel:
      return "failover";
    case REASON.Recovered:
      return "recovery";
    case REASON.PromotedByPerson:
      return "person";
    default:
      return "";
  }
}

function byManner(kind: string): Loss {
  switch (kind) {
    case "handover":
      return { kind: "none", short: NONE, text: "Writes were paused until the successor had every one of them." };
    case "bootstrap":
      return { kind: "none", short: NONE, text: "There was no master before it." };
    case "failover":
    case "sentinel":
      return {
        kind: "unmeasured",
        short: "Not measured",
        text: "Writes that the dead master had acknowledged and not yet sent are gone: usually none, a few milliseconds’ worth at most if its process died.",
      };
    case "recovery":
      return {
        kind: "unmeasured",
        short: "Not measured",
        text: "All were down. What the last master had not yet written to its disk is gone.",
      };
    case "person":
      return { kind: "unmeasured", short: "Not measured", text: "What the chosen pod did not have is gone; the person knew." };
    default:
      return { kind: "unknown", short: "Not known", text: "This replica of redis-ha did not see how the master changed." };
  }
}
