/**
 * How the handlers know a server with TLS. They connect to pods by address, and a certificate names Services: so the chain is checked as always, and the
 * name is that of the group's master Service, which every certificate of a group must carry (ADR 0034). There is no way to switch either off.
 */
import { type ConnectionOptions, checkServerIdentity } from "node:tls";

/** What a TLS Secret holds, as PEM. */
export interface TlsMaterial {
  readonly certificate: string;
  readonly key: string;
  /** one or more CA certificates */
  readonly authority: string;
}

/** @param names any of them will do; the first is also what the server is told to be asked for (SNI) */
export function tlsOptions(material: TlsMaterial, names: readonly [string, ...string[]]): ConnectionOptions {
  return {
    ca: material.authority,
    // Shown only to a server that asks for one (tls-auth-clients yes or optional in the user's configuration).
    cert: material.certificate,
    key: material.key,
    servername: names[0],
    checkServerIdentity: (_, certificate) => {
      const problems = names.map((name) => checkServerIdentity(name, certificate));
      return problems.includes(undefined) ? undefined : problems[0];
    },
  };
}
