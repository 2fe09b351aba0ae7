/** What `kubectl describe` shows a person of an object: its Events. They are written behind the act, so whoever asserts one waits for it. */
import { PATH } from "../../../kube/paths.ts";
import type { CoreEvent } from "../../../kube/types.ts";
import type { Reason } from "../../../model/reasons.ts";
import type { Bed } from "./bed.ts";
import { waitUntil } from "./wait.ts";

export interface EventSeen {
  readonly reason: string;
  readonly message: string;
  readonly type: string;
  readonly count: number;
}

/** So long after its act an Event may come, ms. */
const TOLD_MS = 10_000;

export interface Told {
  /** longer where the act itself is waited for, ms */
  readonly withinMs?: number;
  /** words of its message */
  readonly saying?: string;
}

/** Waits for an Event of this object with this reason, and returns the newest. */
export async function toldOf(
  bed: Bed,
  namespace: string,
  kind: string,
  name: string,
  reason: Reason,
  { withinMs = TOLD_MS, saying = "" }: Told = {},
): Promise<EventSeen> {
  return await waitUntil(`the Event ${reason} of ${kind} ${name}`, withinMs, async () => {
    const all = await eventsSoFar(bed, namespace, kind, name);
    const ours = all.filter((event) => event.reason === reason);
    const found = ours.findLast(({ message }) => message.includes(saying));
    if (found !== undefined) return found;
    const others = ours.length > 0 ? ours.map(({ message }) => message) : all.map((one) => one.reason);
    throw new Error(`there are: ${others.join(", ")}`);
  });
}

/** What is written of an object by now, the newest last: to be counted, or asked for again and again. To assert that something is told there is `toldOf`. */
export async function eventsSoFar(bed: Bed, namespace: string, kind: string, name: string): Promise<EventSeen[]> {
  const { items } = await bed.kube.list<CoreEvent>(PATH.events(namespace), {
    query: { fieldSelector: `involvedObject.kind=${kind},involvedObject.name=${name}` },
  });
  return items
    .toSorted((one, other) => timeOf(one) - timeOf(other))
    .map((event) => ({
      reason: event.reason ?? "",
      message: event.message ?? "",
      type: event.type ?? "",
      count: event.series?.count ?? event.count ?? 1,
    }));
}

/** ms since 1970 */
const timeOf = ({ lastTimestamp, metadata }: CoreEvent): number => Date.parse(lastTimestamp ?? metadata?.creationTimestamp ?? "");
