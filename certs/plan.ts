/**
 * What to do about the certificates: pure functions from what is there to what to do next, each with its reason.
 *
 * A CA is changed in steps, so that at every moment the API server trusts what every replica serves:
 *   1. the new CA goes into the Secret in front of the old one; the leaf stays the old CA's
 *   2. both are published in the caBundle
 *   3. when the API servers have had time to see it, a leaf of the new CA is issued, and served
 *   4. the old CA leaves the bundle when it has expired
 */

import { REASON, type Reason } from "../model/reasons.ts";
import type { Authority, Inspection, Leaf, Life } from "./inspect.ts";

export interface CertConfig {
  caLifeMs: number;
  leafLifeMs: number;
  /** How long after its publication a CA may be unknown to some API server. */
  propagationMs: number;
}

/** One year, 90 days, 5 s. */
export const DEFAULT_CERT_CONFIG: CertConfig = { caLifeMs: 365 * 86_400_000, leafLifeMs: 90 * 86_400_000, propagationMs: 5000 };

/** The CAs in the API server's caBundle; undefined when there is no webhook configuration to publish in. */
export interface Published {
  authorities: Authority[];
  /** For how long this replica knows that it is published; 0 when it is not. Infinity without a configuration. */
  ageMs: (authority: Authority) => number;
}

export type SecretPlan =
  /** Nothing to write before `atMs` (wall clock). */
  | { kind: "keep"; atMs: number }
  /** Write the Secret: a new CA or the present one, a new leaf or the present one, in front of the CAs that stay trusted. */
  | { kind: "write"; authority: "new" | "keep"; leaf: "new" | "keep"; trusted: Authority[]; reason: Reason; why: string };

/** When a certificate is to be renewed: at two thirds of its life. */
export const dueAt = ({ from, to }: Life): number => from + ((to - from) * 2) / 3;

/** What to do about the Secret. `secret` is undefined when it does not exist. */
export function planSecret(secret: Inspection | undefined, published: Published, config: CertConfig, nowMs: number): SecretPlan {
  // The first start: nobody trusts anything of ours yet.
  if (!secret && published.authorities.length === 0) {
    return {
      kind: "write",
      authority: "new",
      leaf: "new",
      trusted: [],
      reason: REASON.CertificateCreated,
      why: "there was none",
    };
  }
  // Deleted or damaged by hand. What is published stays trusted, because the replicas serve it until the new one is published too.
  if (!secret?.signer.ok) {
    const why = secret && !secret.signer.ok ? secret.signer.why : "the Secret was deleted";
    return {
      kind: "write",
      authority: "new",
      leaf: "new",
      trusted: published.authorities,
      reason: REASON.CertificateRepaired,
      why,
    };
  }
  const { signer, leaf, authorities } = secret;
  const write = { kind: "write", trusted: authorities } as const;
  if (!leaf.ok) return { ...write, authority: "keep", leaf: "new", reason: REASON.CertificateRepaired, why: leaf.why };
  if (leaf.value.issuer.pem !== signer.value.pem) {
    const leftMs = config.propagationMs - published.ageMs(signer.value);
    if (leftMs > 0) return { kind: "keep", atMs: nowMs + leftMs };
    return { ...write, authority: "keep", leaf: "new", reason: REASON.CertificateRenewed, why: "the new CA is published" };
  }
  if (dueAt(signer.value) <= nowMs) {
    const why = "the CA is past two thirds of its life";
    return { ...write, authority: "new", leaf: "keep", reason: REASON.CertificateRenewed, why };
  }
  if (dueAt(leaf.value) <= nowMs) {
    const why = "the serving certificate is past two thirds of its life";
    return { ...write, authority: "keep", leaf: "new", reason: REASON.CertificateRenewed, why };
  }
  return { kind: "keep", atMs: Math.min(dueAt(signer.value), dueAt(leaf.value)) };
}

/** The caBundle as it should be: the Secret's CAs, in its order. Undefined when the published one is as good. */
export function planBundle(secret: Inspection, published: Published): string | undefined {
  const wanted = secret.authorities.map(({ pem }) => pem);
  const present = published.authorities.map(({ pem }) => pem);
  const equal = wanted.length === present.length && wanted.every((pem, index) => pem === present[index]);
  return equal ? undefined : wanted.join("");
}

/**
 * Which leaf to serve: the Secret's, once its CA is known everywhere; until then the one that we have, while it is valid.
 * With none at all the new one is served at once, for it cannot be worse.
 */
export function planServing(
  found: Leaf | undefined,
  serving: Leaf | undefined,
  published: Published,
  config: CertConfig,
  nowMs: number,
): Leaf | undefined {
  if (!found) return serving;
  if (!serving || serving.to <= nowMs) return found;
  if (found.cert === serving.cert) return serving;
  const stillTrusted = published.ageMs(serving.issuer) > 0;
  return published.ageMs(found.issuer) >= config.propagationMs || !stillTrusted ? found : serving;
}
