/** The caBundle in the webhook configuration: reading it, writing it, and how long each CA has been in it. */

import type { Kube } from "../kube/client.ts";
import { PATH } from "../kube/paths.ts";
import type { MutatingWebhookConfiguration, PatchOperation } from "../kube/types.ts";
import { authoritiesOf } from "./inspect.ts";
import type { Published } from "./plan.ts";

/** The texts of the bundles of our webhooks in the configuration. */
function bundlesOf(configuration: MutatingWebhookConfiguration): string[] {
  return (configuration.webhooks ?? []).map(({ clientConfig }) => Buffer.from(clientConfig.caBundle ?? "", "base64").toString());
}

/** Remembers since when each CA is published, by this process's own clock. */
export function createPublication(monotonicMs: () => number = () => performance.now()) {
  let since: Map<string, number> | undefined;

  return {
    /** Tell it of every reading of the configuration; undefined: there is none. */
    see(configuration: MutatingWebhookConfiguration | undefined, nowMs: number): Published {
      if (!configuration?.webhooks?.length) return { authorities: [], ageMs: () => Number.POSITIVE_INFINITY };
      const bundles = bundlesOf(configuration);
      // Only what every webhook of ours trusts counts as published.
      const [first = [], ...others] = bundles.map((bundle) => authoritiesOf(bundle, nowMs));
      const authorities = first.filter(({ pem }) => others.every((other) => other.some((one) => one.pem === pem)));
      // What the first reading finds was there before us: for how long is unknown, and no replica serves a leaf of it too early but the one that published it.
      const before = since;
      const unknown = before ? monotonicMs() : Number.NEGATIVE_INFINITY;
      since = new Map(authorities.map(({ pem }) => [pem, before?.get(pem) ?? unknown]));
      const known = since;
      return { authorities, ageMs: ({ pem }) => (known.has(pem) ? monotonicMs() - (known.get(pem) ?? 0) + 1 : 0) };
    },
  };
}

/** Writes `bundle` into every webhook of the configuration, if nobody else changed it since it was read. */
export async function publish(kube: Kube, configuration: MutatingWebhookConfiguration, bundle: string): Promise<void> {
  const caBundle = Buffer.from(bundle).toString("base64");
  const operations: PatchOperation[] = [
    { op: "replace", path: "/metadata/resourceVersion", value: configuration.metadata?.resourceVersion },
    ...(configuration.webhooks ?? []).map(
      (_webhook, index): PatchOperation => ({ op: "add", path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle }),
    ),
  ];
  await kube.jsonPatch(PATH.webhookConfigurations(configuration.metadata?.name ?? ""), operations);
}
