/** Reads certificates: what of a Secret's contents is usable, and until when. No I/O; the same input gives the same answer. */

import { createPrivateKey, X509Certificate } from "node:crypto";

/** The texts in the Secret; any of them may be missing or garbage. */
export interface Material {
  /** The CA that signs, then former ones that are still valid. */
  caCert?: string | undefined;
  caKey?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
}

export interface Life {
  from: number;
  to: number;
}

export interface Authority extends Life {
  pem: string;
}

export interface Leaf extends Life {
  cert: string;
  key: string;
  /** The authority of the Secret that signed it. */
  issuer: Authority;
}

/** A usable part, or the sentence that says why it is not usable. */
export type Found<T> = { ok: true; value: T } | { ok: false; why: string };

export interface Inspection {
  /** The CA with its key. */
  signer: Found<Authority>;
  leaf: Found<Leaf>;
  /** All CAs in the Secret that are valid now, the signer first. */
  authorities: Authority[];
}

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** The certificates in a text, each as PEM with a line end; what is no certificate is left out. */
export function splitBundle(text: string): string[] {
  return [...text.matchAll(PEM_BLOCK)].map(([block]) => `${block}\n`).filter((pem) => parse(pem) !== undefined);
}

/** The valid CA certificates of a bundle, without repeats. */
export function authoritiesOf(bundle: string, nowMs: number): Authority[] {
  const found = new Map<string, Authority>();
  for (const pem of splitBundle(bundle)) {
    const certificate = parse(pem);
    if (!certificate?.ca) continue;
    const life = lifeOf(certificate);
    if (life.to > nowMs) found.set(certificate.fingerprint256, { pem: certificate.toString(), ...life });
  }
  return [...found.values()];
}

/** What is usable of `material` for a server of these names. */
export function inspect(material: Material, dnsNames: readonly string[], nowMs: number): Inspection {
  const authorities = authoritiesOf(material.caCert ?? "", nowMs);
  return { authorities, signer: signerOf(material, authorities), leaf: leafOf(material, authorities, dnsNames, nowMs) };
}

/** For how long a certificate is good, if it is one, not past its end, and of this key. Who signed it is not asked. */
export function lifeOfPair(cert: string, key: string, nowMs: number = Date.now()): Found<Life> {
  const certificate = parse(cert);
  if (!certificate) return bad("tls.crt is no certificate");
  if (!keyFits(certificate, key)) return bad("tls.key does not belong to tls.crt");
  const life = lifeOf(certificate);
  return life.to <= nowMs ? bad("the serving certificate has expired") : { ok: true, value: life };
}

function signerOf(material: Material, authorities: readonly Authority[]): Found<Authority> {
  const first = splitBundle(material.caCert ?? "")[0];
  if (first === undefined) return bad("ca.crt is missing or no certificate");
  const certificate = new X509Certificate(first);
  const authority = authorities.find((one) => one.pem === certificate.toString());
  if (!authority) return bad(certificate.ca ? "the CA has expired" : "ca.crt is not a CA");
  if (!keyFits(certificate, material.caKey)) return bad("ca.key is missing or does not belong to ca.crt");
  return { ok: true, value: authority };
}

function leafOf(material: Material, authorities: readonly Authority[], dnsNames: readonly string[], nowMs: number): Found<Leaf> {
  const { cert, key } = material;
  const certificate = cert === undefined ? undefined : parse(cert);
  if (cert === undefined || key === undefined || !certificate) return bad("tls.crt or tls.key is missing or unreadable");
  if (!keyFits(certificate, key)) return bad("tls.key does not belong to tls.crt");
  const life = lifeOf(certificate);
  if (life.to <= nowMs) return bad("the serving certificate has expired");
  const issuer = authorities.find(({ pem }) => certificate.verify(new X509Certificate(pem).publicKey));
  if (!issuer) return bad("no CA in ca.crt signed the serving certificate");
  const missing = dnsNames.filter((name) => certificate.checkHost(name) === undefined);
  if (missing.length > 0) return bad(`the serving certificate is not for ${missing.join(", ")}`);
  return { ok: true, value: { cert, key, issuer, ...life } };
}

const bad = (why: string): { ok: false; why: string } => ({ ok: false, why });

function parse(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function keyFits(certificate: X509Certificate, key: string | undefined): boolean {
  try {
    return key !== undefined && certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

const lifeOf = (certificate: X509Certificate): Life => ({
  from: certificate.validFromDate.getTime(),
  to: certificate.validToDate.getTime(),
});
