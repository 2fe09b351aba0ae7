/** The steps of one change of master with their times; and the text in which the last ones are kept on the master Service. */

export interface TimelineStep {
  readonly step: string;
  /** ms since the start */
  readonly ms: number;
}

export interface Timeline {
  readonly kind: "failover" | "handover" | "recovery" | "bootstrap" | "sentinel";
  readonly cause: string;
  /** ISO time */
  readonly startedAt: string;
  readonly from: string;
  readonly to: string;
  readonly outcome: string;
  readonly steps: readonly TimelineStep[];
}

/** So many are kept of a group. */
export const TIMELINES = 20;
/** And so much text: an annotation travels with its Service to every node, bytes. */
export const TIMELINES_BYTES = 8192;
const CAUSE_LENGTH = 120;

const KINDS: ReadonlySet<string> = new Set<Timeline["kind"]>(["failover", "handover", "recovery", "bootstrap", "sentinel"]);
const isKind = (text: unknown): text is Timeline["kind"] => typeof text === "string" && KINDS.has(text);

/** Newest first, each once, at most TIMELINES of them. */
export function mergeTimelines(...lists: readonly (readonly Timeline[])[]): Timeline[] {
  const known = new Map<string, Timeline>();
  for (const one of lists.flat()) {
    const key = `${one.startedAt} ${one.kind} ${one.to}`;
    if (!known.has(key)) known.set(key, one);
  }
  return [...known.values()].sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1)).slice(0, TIMELINES);
}

/** One JSON array for each, without names: [kind, start, from, to, outcome, cause, step, ms, step, ms, …]. The oldest are left out where it gets too long. */
export function packTimelines(list: readonly Timeline[]): string {
  let packed = list.slice(0, TIMELINES).map(({ kind, startedAt, from, to, outcome, cause, steps }) => {
    const short = cause.length > CAUSE_LENGTH ? `${cause.slice(0, CAUSE_LENGTH)}…` : cause;
    return [kind, startedAt, from, to, outcome, short, ...steps.flatMap(({ step, ms }) => [step, ms])];
  });
  while (Buffer.byteLength(JSON.stringify(packed)) > TIMELINES_BYTES) packed = packed.slice(0, -1);
  return JSON.stringify(packed);
}

/** What packTimelines wrote; anything that can't be read is left out. */
export function unpackTimelines(text: string | undefined): Timeline[] {
  if (text === undefined) return [];
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed.flatMap((one) => unpack(one) ?? []) : [];
  } catch {
    return [];
  }
}

function unpack(one: unknown): Timeline | undefined {
  if (!Array.isArray(one)) return undefined;
  const [kind, ...rest] = one as unknown[];
  const [startedAt, from, to, outcome, cause] = rest.slice(0, 5).map((value) => (typeof value === "string" ? value : undefined));
  if (!isKind(kind) || startedAt === undefined || from === undefined || to === undefined) return undefined;
  if (outcome === undefined || cause === undefined) return undefined;
  const steps: TimelineStep[] = [];
  for (let at = 5; at + 1 < rest.length; at += 2) {
    const [step, ms] = [rest[at], rest[at + 1]];
    if (typeof step === "string" && typeof ms === "number") steps.push({ step, ms });
  }
  return { kind, startedAt, from, to, outcome, cause, steps };
}
