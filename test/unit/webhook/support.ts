/** What the webhook's tests share. */
import fastJsonPatch from "fast-json-patch";
import { parse } from "yaml";
import { injectConfig } from "../../../webhook/config.ts";
import type { InjectContext, InjectResult } from "../../../webhook/inject/pod.ts";
import { injectPod } from "../../../webhook/inject/pod.ts";
import type { JsonObject } from "../../../webhook/json.ts";

export const NOW = Date.parse("2026-11-22T12:00:00Z");

export function contextAt(now = NOW, random: () => number = () => 0): InjectContext {
  return { namespace: "shop", config: injectConfig("0.1.0"), random, now: () => now };
}

export function yaml(text: string): JsonObject {
  return parse(text) as JsonObject;
}

/** A pod of one redis container with annotations of ours (the prefix is added) and, if wanted, more in its spec. */
export function redisPod(
  annotations: Readonly<Record<string, string>> = { cluster: "cache" },
  spec: JsonObject = {},
): JsonObject {
  const ours = Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`redis-ha.io/${key}`, value]));
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { generateName: "cache-7d4b9-", labels: { app: "cache" }, annotations: ours },
    spec: { containers: [{ name: "redis", image: "redis:7" }], ...spec },
  };
}

/** Applies the operations as the API server does; throws when one does not fit. */
export function apply(object: JsonObject, { operations }: Pick<InjectResult, "operations">): JsonObject {
  const document = structuredClone(object) as object;
  return fastJsonPatch.applyPatch(document, structuredClone(operations) as fastJsonPatch.Operation[], true)
    .newDocument as JsonObject;
}

/** The injected pod, or the errors. */
export function injected(pod: JsonObject, context = contextAt()): JsonObject {
  const result = injectPod(pod, context);
  if (result.errors.length > 0) throw new Error(result.errors.join("\n"));
  return apply(pod, result);
}
