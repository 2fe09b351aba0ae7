/**
 * Makes certificates: a CA and what it signs, ECDSA P-256.
 * The generator is loaded when first used: most starts find good certificates in the Secret, and need none of it.
 */

import { createPrivateKey, KeyObject, randomBytes, type webcrypto } from "node:crypto";

export interface PemPair {
  cert: string;
  key: string;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** The name of every CA of ours, so that a bundle can be told from others. */
export const CA_NAME = "redis-ha webhook CA";

async function generator(): Promise<typeof import("@peculiar/x509")> {
  // The library needs it loaded first, and says so only by failing.
  await import("reflect-metadata");
  return import("@peculiar/x509");
}

/** A self-signed CA. */
export async function makeAuthority(lifeMs: number, nowMs: number): Promise<PemPair> {
  const x509 = await generator();
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    // A serial in the name: two CAs of the same name and different keys confuse verifiers that look issuers up by name.
    name: `CN=${CA_NAME} ${randomBytes(4).toString("hex")}`,
    ...validity(lifeMs, nowMs),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pem(certificate), key: keyText(keys.privateKey) };
}

/** A serving certificate for `dnsNames`, signed by `authority` and not longer valid than it. */
export async function issueLeaf(
  authority: PemPair,
  dnsNames: readonly string[],
  lifeMs: number,
  nowMs: number,
): Promise<PemPair> {
  const x509 = await generator();
  const issuer = new x509.X509Certificate(authority.cert);
  const pkcs8 = createPrivateKey(authority.key).export({ type: "pkcs8", format: "der" });
  const signingKey = await crypto.subtle.importKey("pkcs8", new Uint8Array(pkcs8), ALGORITHM, false, ["sign"]);
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const { notBefore, notAfter } = validity(lifeMs, nowMs);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: `CN=${dnsNames[0] ?? "redis-ha"}`,
    issuer: issuer.subject,
    notBefore: new Date(Math.max(notBefore.getTime(), issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(notAfter.getTime(), issuer.notAfter.getTime())),
    signingKey,
    publicKey: keys.publicKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(dnsNames.map((value) => ({ type: "dns", value }))),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: pem(certificate), key: keyText(keys.privateKey) };
}

/** Begins a little before now, for the API server's clock may be behind ours; X.509 counts in whole seconds. */
function validity(lifeMs: number, nowMs: number): { notBefore: Date; notAfter: Date } {
  const backdatedMs = Math.min(5 * 60_000, lifeMs / 10);
  return { notBefore: new Date(nowMs - backdatedMs), notAfter: new Date(nowMs + lifeMs) };
}

/** Positive and unique. */
const serial = (): string => `01${randomBytes(15).toString("hex")}`;

const pem = (certificate: { toString(format: "pem"): string }): string => `${certificate.toString("pem").trim()}\n`;

const keyText = (key: webcrypto.CryptoKey): string => KeyObject.from(key).export({ type: "pkcs8", format: "pem" }).toString();
