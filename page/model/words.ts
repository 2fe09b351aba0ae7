/** The words, tones and shapes of states and reasons. A state is never told by its colour alone. Pure. */
import { REASON } from "../../model/reasons.ts";
import type { Down, GroupRow, GroupState } from "../wire.ts";

export type Tone = "ok" | "busy" | "warn" | "bad" | "mute";
/** Each has an outline of its own, so that it is told apart without colour. */
export type Shape = "check" | "arrows" | "triangle" | "clock" | "cross" | "stop" | "question";

export interface StateWord {
  readonly word: string;
  readonly tone: Tone;
  readonly shape: Shape;
  /** for sorting: the worst first */
  readonly urgency: number;
}

export const STATE: Readonly<Record<GroupState, StateWord>> = {
  halted: { word: "Halted", tone: "bad", shape: "stop", urgency: 0 },
  masterless: { word: "No master", tone: "bad", shape: "cross", urgency: 1 },
  waiting: { word: "Waiting", tone: "warn", shape: "clock", urgency: 2 },
  degraded: { word: "Degraded", tone: "warn", shape: "triangle", urgency: 3 },
  unknown: { word: "Unknown", tone: "mute", shape: "question", urgency: 4 },
  handover: { word: "Handing over", tone: "busy", shape: "arrows", urgency: 5 },
  ok: { word: "Healthy", tone: "ok", shape: "check", urgency: 6 },
};

/** Stands instead of a state that was read too long ago to be called the present. */
export const STALE: StateWord = { word: "Stale", tone: "mute", shape: "question", urgency: 2.5 };

/** What to say of a group now. */
export const wordOf = ({ state, staleSince }: Pick<GroupRow, "state" | "staleSince">): StateWord =>
  staleSince === undefined ? STATE[state] : STALE;

/** Why somebody is master, by the reason of the record; what is not here is shown as its word. */
const BECAUSE: Readonly<Record<string, string>> = {
  [REASON.Bootstrapped]: "It was chosen as the group's first master.",
  [REASON.MasterRouted]: "The sentinels named it, and it says so itself.",
  [REASON.FailedOver]: "The master before it had died; it was the freshest replica.",
  [REASON.FailoverBySentinel]: "Sentinel elected it by itself.",
  [REASON.HandedOver]: "A planned hand-over.",
  [REASON.Recovered]: "It had the best data after a total outage.",
  [REASON.PromotedByPerson]: "A person chose it.",
  [REASON.Adopted]: "It took over from the redis that was there before redis-ha.",
};

export const because = (reason: string): string => BECAUSE[reason] ?? `${reason}.`;

/** What happened in one change, by its kind; what is not here is shown as its word. */
const KIND: Readonly<Record<string, string>> = {
  failover: "Failover",
  handover: "Hand-over",
  recovery: "Recovery after a total outage",
  bootstrap: "First master",
  sentinel: "Failover by Sentinel",
};

export const kindOf = (kind: string): string => KIND[kind] ?? kind;

const DOWN: Readonly<Record<Down["state"], string>> = {
  refused: "refuses connections",
  timeout: "does not answer",
  denied: "refuses the password, or its certificate is not the group's",
  unknown: "not reached yet",
};

export const downWord = (state: Down["state"]): string => DOWN[state];

/** `FailoverImpossible` → `Failover impossible` */
export function spaced(reason: string): string {
  const words = reason.replace(/([a-z])([A-Z])/g, (_, before: string, after: string) => `${before} ${after.toLowerCase()}`);
  return words;
}
