/** Where our init containers go among the user's. */
import { INJECTED } from "../../model/names.ts";
import { at, covers, field, type JsonObject, named } from "../json.ts";
import { bootContainer } from "./boot-container.ts";
import type { Patch } from "./patch.ts";
import { sentinelSidecar } from "./sentinel-container.ts";
import type { PodView } from "./view.ts";

/**
 * The boot container goes first: it needs no network, so it need not wait for a mesh's init container, and the user's own may take long. The sentinel comes
 * right after it, so it watches while the user's init containers still run; until a mesh lets it out it just tries again.
 * The user's own order is never changed.
 */
export function injectInitContainers(view: PodView, patch: Patch): void {
  const path = ["spec", "initContainers"];
  const list = at(view.pod, "spec", "initContainers");
  let next = 0;
  /** how many were inserted: what stood in the list has moved back by so many */
  let inserted = 0;
  for (const container of [bootContainer(view), ...(view.sidecar ? [sentinelSidecar(view)] : [])]) {
    const found = named(list, String(field(container, "name")));
    if (found === undefined) {
      patch.insert(path, list, next, container);
      inserted += 1;
      next += 1;
    } else {
      const index = found.index + inserted;
      if (view.fresh && !covers(found.object, container)) patch.replace([...path, index], container);
      next = index + 1;
    }
  }
  if (!view.sidecar && view.fresh) removeStaleSentinel(view, patch, inserted);
}

/** A template copied from a pod that had a sentinel, with `sentinel: none` or another role since: it would vote without being known. */
function removeStaleSentinel(view: PodView, patch: Patch, inserted: number): void {
  const stale: { readonly index: number; readonly object: JsonObject } | undefined = named(
    at(view.pod, "spec", "initContainers"),
    INJECTED.sentinelContainer,
  );
  if (stale !== undefined) patch.remove(["spec", "initContainers", stale.index + inserted]);
}
