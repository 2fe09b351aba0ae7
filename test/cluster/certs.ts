import "reflect-metadata";
import { generateKeyPairSync, randomBytes, webcrypto } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { API_SERVICE_ADDRESS, type Layout } from "./layout.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const YEAR_MS = 365 * 86_400_000;

/** The name in the certificate that the API server shows to admission webhooks. */
export const WEBHOOK_CALLER = "kube-apiserver-webhook-client";

type Issuer = { certificate: x509.X509Certificate; keys: webcrypto.CryptoKeyPair };
type Subject = {
  file: string;
  commonName: string;
  groups?: readonly string[];
  names?: readonly string[];
  addresses?: readonly string[];
};

/** Makes the certificate authority of a cluster and a certificate for each of its parts, as files in its certs folder. */
export async function makeCertificates(layout: Layout): Promise<void> {
  mkdirSync(layout.certs, { recursive: true, mode: 0o700 });
  const issuer = await makeAuthority(join(layout.certs, "ca"));
  await Promise.all(subjects(layout).map(async (subject) => await issue(issuer, layout.certs, subject)));
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(join(layout.certs, "service-accounts.key"), privateKey.export({ type: "sec1", format: "pem" }), { mode: 0o600 });
  writeFileSync(join(layout.certs, "service-accounts.pub"), publicKey.export({ type: "spki", format: "pem" }));
}

function subjects(layout: Layout): Subject[] {
  const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"];
  const serving = {
    names: [...service, "localhost"],
    addresses: [API_SERVICE_ADDRESS, "127.0.0.1", layout.controlPlane.address, layout.hostLink.controlPlane],
  };
  return [
    { file: "kube-apiserver", commonName: "kube-apiserver", ...serving },
    { file: "webhook-client", commonName: WEBHOOK_CALLER },
    { file: "kubelet-client", commonName: "kube-apiserver-kubelet-client", groups: ["redis-ha:kubelet-clients"] },
    { file: "controller-manager", commonName: "system:kube-controller-manager" },
    { file: "scheduler", commonName: "system:kube-scheduler" },
    { file: "kube-proxy", commonName: "system:kube-proxy" },
    { file: "coredns", commonName: "redis-ha:coredns" },
    { file: "volumes", commonName: "redis-ha:volumes" },
    { file: "admin", commonName: "kubernetes-admin", groups: ["system:masters"] },
    ...layout.nodes.map((node) => ({
      file: node.name,
      commonName: `system:node:${node.name}`,
      groups: ["system:nodes"],
      names: [node.name],
      addresses: [node.address],
    })),
  ];
}

async function makeAuthority(path: string): Promise<Issuer> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...common("kubernetes", []),
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await save(path, certificate, keys);
  return { certificate, keys };
}

async function issue(issuer: Issuer, dir: string, subject: Subject): Promise<void> {
  const keys = await newKeys();
  const alternatives: x509.JsonGeneralName[] = [
    ...(subject.names ?? []).map((value) => ({ type: "dns" as const, value })),
    ...(subject.addresses ?? []).map((value) => ({ type: "ip" as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    ...common(subject.commonName, subject.groups ?? []),
    issuer: issuer.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth, x509.ExtendedKeyUsage.serverAuth]),
      ...(alternatives.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(alternatives)]),
    ],
  });
  await save(join(dir, subject.file), certificate, keys);
}

function common(
  commonName: string,
  groups: readonly string[],
): {
  name: x509.JsonName;
  subject: x509.JsonName;
  serialNumber: string;
  notBefore: Date;
  notAfter: Date;
  signingAlgorithm: typeof ALGORITHM;
} {
  const name: x509.JsonName = [...groups.map((group) => ({ O: [group] })), { CN: [commonName] }];
  const now = Date.now();
  // An hour back, for tests that turn a clock.
  const validity = { notBefore: new Date(now - 3_600_000), notAfter: new Date(now + YEAR_MS) };
  return { name, subject: name, serialNumber: `01${randomBytes(8).toString("hex")}`, ...validity, signingAlgorithm: ALGORITHM };
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function save(path: string, certificate: x509.X509Certificate, keys: webcrypto.CryptoKeyPair): Promise<void> {
  const key = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  writeFileSync(`${path}.crt`, `${certificate.toString("pem")}\n`);
  writeFileSync(`${path}.key`, `${x509.PemConverter.encode(key, "PRIVATE KEY")}\n`, { mode: 0o600 });
}
