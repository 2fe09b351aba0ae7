/** Which container of the pod is the Redis (or the Sentinel). */
import { ANNOTATION } from "../../model/names.ts";
import type { GroupSettings } from "../../model/settings.ts";
import { asString, at, field, type JsonObject, objects } from "../json.ts";

export interface Container {
  readonly index: number;
  readonly object: JsonObject;
}

const SERVER_NAMES = ["redis", "valkey"];
const SENTINEL_NAMES = ["sentinel", ...SERVER_NAMES];

/** Sidecars that meshes and secret stores add by webhooks of their own, possibly before ours: a person who wrote one container has no choice to make. */
const FOREIGN_SIDECARS = [
  "istio-proxy",
  "linkerd-proxy",
  "daprd",
  "vault-agent",
  "envoy-sidecar",
  "kuma-sidecar",
  "consul-dataplane",
  "cilium-envoy",
];

/** The container named by the annotation, else the only one, else the only one with a telling name; an error text when none can be told. */
export function chooseContainer(pod: JsonObject, settings: GroupSettings): Container | { readonly error: string } {
  const all = objects(at(pod, "spec", "containers"));
  const names = all.map(({ object }) => asString(field(object, "name")) ?? "?").join(", ");
  if (all.length === 0) return { error: "spec.containers: the pod has no container" };

  if (settings.container !== undefined) {
    const chosen = all.find(({ object }) => field(object, "name") === settings.container);
    if (chosen !== undefined) return chosen;
    return { error: `${ANNOTATION.container}: "${settings.container}" is not a container of this pod; use one of: ${names}` };
  }

  const candidates = all.filter(({ object }) => !FOREIGN_SIDECARS.includes(asString(field(object, "name")) ?? ""));
  const telling = settings.role === "sentinel" ? SENTINEL_NAMES : SERVER_NAMES;
  const byName = candidates.filter(({ object }) => telling.includes(asString(field(object, "name")) ?? ""));
  for (const few of [candidates, byName]) {
    const [only, second] = few;
    if (only !== undefined && second === undefined) return only;
  }
  const what = settings.role === "sentinel" ? "Sentinel" : "Redis";
  return {
    error: `${ANNOTATION.container} is missing: this pod has several containers, so say which one runs ${what}; use one of: ${names}`,
  };
}
