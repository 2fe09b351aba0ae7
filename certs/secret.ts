/** The Secret that holds the certificates: its contents as texts, and writing what was planned. */

import type { Kube } from "../kube/client.ts";
import { PATH } from "../kube/paths.ts";
import type { Secret } from "../kube/types.ts";
import { LABEL, MANAGED_BY } from "../model/names.ts";
import { issueLeaf, makeAuthority, type PemPair } from "./authority.ts";
import { type Material, splitBundle } from "./inspect.ts";
import type { CertConfig, SecretPlan } from "./plan.ts";

export function materialOf(secret: Secret): Material {
  const text = (key: string): string | undefined => {
    const encoded = secret.data?.[key];
    return encoded === undefined ? undefined : Buffer.from(encoded, "base64").toString();
  };
  return { caCert: text("ca.crt"), caKey: text("ca.key"), cert: text("tls.crt"), key: text("tls.key") };
}

/** Makes the certificates that a plan asks for. */
export async function makeMaterial(
  plan: SecretPlan & { kind: "write" },
  present: Material,
  dnsNames: readonly string[],
  config: CertConfig,
  nowMs: number,
): Promise<Required<Material>> {
  const authority: PemPair =
    plan.authority === "new"
      ? await makeAuthority(config.caLifeMs, nowMs)
      : { cert: splitBundle(present.caCert ?? "")[0] ?? "", key: present.caKey ?? "" };
  const leaf =
    plan.leaf === "new"
      ? await issueLeaf(authority, dnsNames, config.leafLifeMs, nowMs)
      : { cert: present.cert ?? "", key: present.key ?? "" };
  const bundle = new Set([authority.cert, ...plan.trusted.map(({ pem }) => pem)]);
  return { caCert: [...bundle].join(""), caKey: authority.key, cert: leaf.cert, key: leaf.key };
}

/** Creates the Secret, or changes it if it is still as it was read. Fails with a conflict when another replica was faster. */
export async function writeSecret(
  kube: Kube,
  namespace: string,
  name: string,
  present: Secret | undefined,
  material: Material,
): Promise<Secret> {
  const encode = (text = ""): string => Buffer.from(text).toString("base64");
  const data = {
    "ca.crt": encode(material.caCert),
    "ca.key": encode(material.caKey),
    "tls.crt": encode(material.cert),
    "tls.key": encode(material.key),
  };
  if (present) {
    const metadata = { resourceVersion: present.metadata?.resourceVersion };
    return kube.mergePatch<Secret>(PATH.secrets(namespace, name), { metadata, data });
  }
  return kube.create<Secret>(PATH.secrets(namespace), {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace, name, labels: { [LABEL.managedBy]: MANAGED_BY } },
    type: "kubernetes.io/tls",
    data,
  });
}
