/** Resources of injected containers: always set, for a ResourceQuota refuses pods with a container that says nothing. */
import { asObject, at, field, type JsonObject, objects } from "../json.ts";

/** Enough that neither the copying nor a sentinel waits long for its turn under a CPU limit. */
const GUARANTEED_CPU = "100m";

/**
 * In a pod of the class Guaranteed the requests become limits too. One container with less would turn the whole pod Burstable: the user's server would
 * lose its exclusive CPUs and be among the first that the kernel kills for memory.
 */
export function injectedResources(pod: JsonObject, configured: JsonObject): JsonObject {
  const requests = asObject(field(configured, "requests"));
  if (requests === undefined || !isGuaranteed(pod)) return configured;
  const both: JsonObject = { ...requests, cpu: GUARANTEED_CPU, ...asObject(field(configured, "limits")) };
  return { ...configured, requests: both, limits: both };
}

function isGuaranteed(pod: JsonObject): boolean {
  const containers = [...objects(at(pod, "spec", "initContainers")), ...objects(at(pod, "spec", "containers"))];
  return (
    containers.length > 0 &&
    containers.every(({ object }) =>
      ["cpu", "memory"].every((resource) => {
        const limit = at(object, "resources", "limits", resource);
        const request = at(object, "resources", "requests", resource) ?? limit;
        return limit !== undefined && limit === request;
      }),
    )
  );
}
