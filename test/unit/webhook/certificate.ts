/** Throwaway certificates for tests over real TLS. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { CertificatePair } from "../../../webhook/server.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const newKeys = () => webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);

export interface Authority {
  readonly ca: string;
  readonly issue: (commonName?: string) => Promise<CertificatePair>;
}

/** As kubelet and cert-manager name them. */
export function writePair(folder: string, { cert, key }: CertificatePair): void {
  writeFileSync(join(folder, "tls.crt"), cert);
  writeFileSync(join(folder, "tls.key"), key);
}

export async function createAuthority(): Promise<Authority> {
  const keys = await newKeys();
  const ca = await X509CertificateGenerator.createSelfSigned({
    name: "CN=test authority",
    keys,
    signingAlgorithm: algorithm,
    ...validity(),
    extensions: [new BasicConstraintsExtension(true, undefined, true), new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true)],
  });
  return { ca: ca.toString("pem"), issue: (commonName = "localhost") => issue(ca, keys.privateKey, commonName) };
}

async function issue(ca: X509Certificate, signingKey: webcrypto.CryptoKey, commonName: string): Promise<CertificatePair> {
  const keys = await newKeys();
  const leaf = await X509CertificateGenerator.create({
    subject: `CN=${commonName}`,
    issuer: ca.subject,
    signingKey,
    publicKey: keys.publicKey,
    signingAlgorithm: algorithm,
    ...validity(),
    extensions: [new SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }])],
  });
  const key = PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return { cert: leaf.toString("pem"), key };
}

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
}
