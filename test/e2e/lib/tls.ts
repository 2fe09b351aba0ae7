/** The Secret of a group with TLS, as cert-manager makes it: for servers only, as public CAs do, by the names of the master Service. */
import { issueLeaf, makeAuthority, type PemPair } from "../../../certs/authority.ts";
import { PATH } from "../../../kube/paths.ts";
import { masterNames, masterServiceName, TLS_FILES } from "../../../model/names.ts";
import type { Bed } from "./bed.ts";

const DAY_MS = 86_400_000;
/** The Secret that the group of manifests/examples/tls.yaml names. */
export const TLS_SECRET = "cache-tls";
/** By which clients know the group `cache`. */
export const TLS_SERVICE = masterServiceName("cache");

/** A CA of a day. */
export const makeDayAuthority = async (): Promise<PemPair> => await makeAuthority(DAY_MS, Date.now());

async function filesOf(namespace: string, authority: PemPair): Promise<Record<string, string>> {
  const leaf = await issueLeaf(authority, [TLS_SERVICE, ...masterNames(namespace, TLS_SERVICE)], DAY_MS, Date.now());
  return { [TLS_FILES.certificate]: leaf.cert, [TLS_FILES.key]: leaf.key, [TLS_FILES.authority]: authority.cert };
}

export async function makeTlsSecret(bed: Bed, namespace: string, authority: PemPair): Promise<void> {
  await bed.kube.create(PATH.secrets(namespace), {
    metadata: { name: TLS_SECRET },
    type: "kubernetes.io/tls",
    stringData: await filesOf(namespace, authority),
  });
}

/** A new certificate, under a CA that may be another one. */
export async function renewTlsSecret(bed: Bed, namespace: string, authority: PemPair): Promise<void> {
  await bed.kube.mergePatch(PATH.secrets(namespace, TLS_SECRET), { stringData: await filesOf(namespace, authority) });
}
