/** Addresses behind the master Service, as its EndpointSlices tell; lets an act wait until routing has moved. */
import type { EndpointSlice } from "../../kube/types.ts";
import type { Endpoints } from "../act/context.ts";

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
