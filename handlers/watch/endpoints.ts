/** Addresses behind the master Service, as its EndpointSlices tell; lets an act wait until routing has moved. */
import type { Kube } from "../../kube/client.ts";
import { PATH } from "../../kube/paths.ts";
import type { EndpointSlice } from "../../kube/types.ts";
import type { Endpoints } from "../act/context.ts";

/** A question beside the watch waits so long for its answer, ms. */
const ASK_MS = 1500;

/** The EndpointSlices of a Service, from the API server itself: the watch may have fallen silent. None when it does not answer. */
export async function askSlices(kube: Kube, namespace: string, service: string): Promise<readonly EndpointSlice[]> {
  const query = { labelSelector: `kubernetes.io/service-name=${service}` };
  const slices = await kube
    .list<EndpointSlice>(PATH.endpointSlices(namespace), { query, timeoutMs: ASK_MS })
    .catch(() => undefined);
  return slices?.items ?? [];
}

export class EndpointsView implements Endpoints {
  readonly #read: () => readonly EndpointSlice[];
  readonly #waiting = new Set<() => void>();

  constructor(read: () => readonly EndpointSlice[]) {
    this.#read = read;
  }

  /** An EndpointSlice of one of the group's Services changed. */
  changed(): void {
    for (const check of [...this.#waiting]) check();
  }

  addresses(): ReadonlySet<string> | undefined {
    const slices = this.#read();
    if (slices.length === 0) return undefined;
    return new Set(slices.flatMap((slice) => slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses));
  }

  pods(): readonly string[] {
    const behind = this.#read().flatMap((slice) => slice.endpoints ?? []);
    return behind.flatMap(({ targetRef }) => targetRef?.uid ?? []);
  }

  until(done: (addresses: ReadonlySet<string>) => boolean, withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (result: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(result);
      };
      const check = (): void => {
        const now = this.addresses();
        if (now !== undefined && done(now)) finish(true);
      };
      const timer = setTimeout(() => finish(false), withinMs);
      this.#waiting.add(check);
      check();
    });
  }
}
