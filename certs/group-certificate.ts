/** Reads the certificate Secret of a group (annotation `tls`): what is usable of it, until when, and what a person has to mend. Pure. */
import { X509Certificate } from "node:crypto";
import { TLS_FILES } from "../model/names.ts";
import { authoritiesOf, lifeOfPair, splitBundle } from "./inspect.ts";

export interface GroupCertificate {
  /** as PEM */
  readonly certificate: string;
  readonly key: string;
  /** every CA of the Secret */
  readonly authority: string;
  /** SHA-256 of the certificate that a server shows */
  readonly fingerprint: string;
  /** when it ends, ms since 1970 */
  readonly until: number;
}

export interface InspectedCertificate {
  /** undefined: nobody can speak TLS with it */
  readonly usable: GroupCertificate | undefined;
  /** each a sentence without its subject, the Secret; empty: all is well */
  readonly problems: readonly string[];
}

/**
 * @param data of the Secret, in base64 as the API gives it
 * @param names any of which redis-ha accepts (masterNames)
 * @param nowMs ms since 1970
 */
export function inspectGroupCertificate(
  data: Readonly<Record<string, string>>,
  names: readonly string[],
  nowMs: number,
): InspectedCertificate {
  const missing = Object.values(TLS_FILES).filter((key) => (data[key] ?? "") === "");
  if (missing.length > 0) return { usable: undefined, problems: missing.map((key) => `has no key ${key}`) };
  const text = (key: string): string => Buffer.from(data[key] ?? "", "base64").toString();
  const [certificate, key, authority] = [text(TLS_FILES.certificate), text(TLS_FILES.key), text(TLS_FILES.authority)];
  const [leaf, ...intermediates] = splitBundle(certificate).map((pem) => new X509Certificate(pem));
  if (leaf === undefined) return { usable: undefined, problems: [`has no certificate in ${TLS_FILES.certificate}`] };
  const usable = {
    certificate,
    key,
    authority,
    fingerprint: leaf.fingerprint256,
    until: leaf.validToDate.getTime(),
  };
  const problems: string[] = [];
  const life = lifeOfPair(certificate, key, nowMs);
  if (!life.ok) problems.push(`is not usable: ${life.why}`);
  const authorities = authoritiesOf(authority, nowMs).map(({ pem }) => new X509Certificate(pem));
  const signed = [...authorities, ...intermediates].some((issuer) => leaf.verify(issuer.publicKey));
  if (authorities.length === 0) problems.push(`has no CA that is valid now in ${TLS_FILES.authority}`);
  else if (!signed) problems.push(`has a certificate that no CA in its ${TLS_FILES.authority} signed`);
  if (!names.some((name) => leaf.checkHost(name) !== undefined))
    problems.push(`has a certificate for ${leaf.subjectAltName ?? "no name"}, and redis-ha asks for ${names[0] ?? "?"}`);
  return { usable, problems };
}
