/** Doctor and the certificates of groups with TLS: which Secrets their pods name, and what is wrong with them. */
import { inspectGroupCertificate } from "../../certs/group-certificate.ts";
import { podFact } from "../../handlers/watch/pod-fact.ts";
import { isNotFound } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { Pod, Secret } from "../../kube/types.ts";
import { LABEL, masterNames, masterServiceName } from "../../model/names.ts";
import { duration } from "../paper.ts";
import type { Target } from "../target.ts";
import type { Check, Finding } from "./findings.ts";

/** Time enough for a person who reads it on a Monday, ms. */
const SOON_MS = 3 * 86_400_000;

interface Wanted {
  readonly namespace: string;
  readonly cluster: string;
  readonly secret: string;
  /** by which the group's clients know its master */
  readonly service: string;
}

export interface TlsSecretSeen extends Wanted {
  /** undefined: there is no such Secret */
  readonly data: Readonly<Record<string, string>> | undefined;
}

/** Each Secret that living pods name, once for each group. Pure. */
export function tlsSecretsOf(pods: readonly Pod[]): Wanted[] {
  const found = new Map<string, Wanted>();
  for (const pod of pods) {
    const fact = podFact(pod, () => false);
    const [namespace, cluster] = [pod.metadata?.namespace, pod.metadata?.labels?.[LABEL.cluster]];
    const secret = fact?.settings.tlsSecret;
    if (fact === undefined || fact.ended || secret === undefined || namespace === undefined || cluster === undefined) continue;
    const service = fact.settings.masterService ?? masterServiceName(cluster);
    found.set(`${namespace}/${cluster}/${secret}`, { namespace, cluster, secret, service });
  }
  return [...found.values()];
}

/** @param tried reads one object, or leaves it out and names it where this person may not */
export async function readTlsSecrets(
  { kube }: Pick<Target, "kube">,
  pods: readonly Pod[],
  tried: <T>(what: string, work: Promise<T>) => Promise<T | undefined>,
): Promise<TlsSecretSeen[]> {
  const seen = await Promise.all(
    tlsSecretsOf(pods).map(async (wanted) => {
      const { namespace, secret } = wanted;
      const reading = kube.get<Secret>(PATH.secrets(namespace, secret)).catch((error: unknown) => {
        if (isNotFound(error)) return "none" as const;
        throw error;
      });
      const read = await tried(`Secret ${namespace}/${secret}`, reading);
      return read === undefined ? [] : [{ ...wanted, data: read === "none" ? undefined : (read.data ?? {}) }];
    }),
  );
  return seen.flat();
}

export const groupCertificates: Check = ({ tlsSecrets, here }) =>
  tlsSecrets.flatMap(({ namespace, cluster, secret, service, data }): Finding[] => {
    const subject = `${namespace}/${cluster}: Secret ${secret}`;
    const mend = `kubectl -n ${namespace} describe certificate   (cert-manager), or put the right files into it: docs/tls.md`;
    const finding = (level: Finding["level"], message: string): Finding => ({ level, check: "tls", message, mend });
    if (data === undefined)
      return [finding("broken", `${subject} does not exist: no pod starts, and nobody can speak with those that run`)];
    const { usable, problems } = inspectGroupCertificate(data, masterNames(namespace, service), here);
    if (problems.length > 0) return problems.map((problem) => finding("broken", `${subject} ${problem}`));
    const left = (usable?.until ?? 0) - here;
    return left < SOON_MS ? [finding("warning", `${subject} has a certificate that ends in ${duration(left)}`)] : [];
  });
