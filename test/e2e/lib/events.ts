/** What `kubectl describe` shows a person of an object: its Events. */
import type { Bed } from "./bed.ts";

export interface EventSeen {
  readonly reason: string;
  readonly message: string;
  readonly type: string;
  readonly count: number;
  readonly kind: string;
  readonly name: string;
}

interface RawEvent {
  readonly reason?: string;
  readonly message?: string;
  readonly note?: string;
  readonly type?: string;
  readonly count?: number;
  readonly series?: { readonly count?: number };
  readonly involvedObject?: { readonly kind?: string; readonly name?: string };
}

/** Events of one object of a namespace, in the order in which the API server lists them. */
export async function eventsOf(bed: Bed, namespace: string, kind: string, name: string): Promise<EventSeen[]> {
  const { items } = await bed.kube.list<RawEvent>(`/api/v1/namespaces/${namespace}/events`, {
    query: { fieldSelector: `involvedObject.kind=${kind},involvedObject.name=${name}` },
  });
  return items.map((event) => ({
    reason: event.reason ?? "",
    message: event.message ?? event.note ?? "",
    type: event.type ?? "",
    count: event.series?.count ?? event.count ?? 1,
    kind: event.involvedObject?.kind ?? "",
    name: event.involvedObject?.name ?? "",
  }));
}

/** The Event with this reason; throws while there is none. */
export async function eventOf(bed: Bed, namespace: string, kind: string, name: string, reason: string): Promise<EventSeen> {
  const all = await eventsOf(bed, namespace, kind, name);
  const found = all.findLast((event) => event.reason === reason);
  if (found === undefined)
    throw new Error(`no Event ${reason} on ${kind} ${name}; there are: ${all.map((one) => one.reason).join(", ")}`);
  return found;
}
