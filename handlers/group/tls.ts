/**
 * The certificates of a group: read in the background and again from time to time, so that a renewed one is used for new connections. Nothing waits for it:
 * a pod whose Secret is not known is not spoken to, and Sentinel protects the group meanwhile.
 */
import type { ConnectionOptions } from "node:tls";
import { type GroupCertificate, inspectGroupCertificate } from "../../certs/group-certificate.ts";
import { isNotFound } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { Secret } from "../../kube/types.ts";
import type { PodFact } from "../../model/facts.ts";
import { masterNames } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { messageOf } from "../act/context.ts";
import { tlsOptions } from "../observe/tls.ts";
import { ShownCertificates } from "./shown-certificates.ts";
import type { GroupOptions } from "./source.ts";
import type { GroupVoice } from "./voice.ts";

/** So often the Secret is read: while it is not known, while servers are not believed, and else, ms. */
const UNKNOWN_MS = 2000;
const DENIED_MS = 5000;
const CHECK_MS = 30_000;
/** After a change of the CA the former one is trusted for so long, ms: the kubelets bring the new files within some minutes (docker/boot/tls.sh does the same). */
export const FORMER_MS = 1_800_000;

interface Known {
  readonly certificate: GroupCertificate;
  readonly options: ConnectionOptions;
  readonly former: { readonly authority: string; readonly until: number } | undefined;
}

export class GroupTls {
  readonly #options: GroupOptions;
  readonly #voice: GroupVoice;
  readonly #known = new Map<string, Known>();
  readonly #readAt = new Map<string, number>();
  readonly #reading = new Set<string>();
  readonly #shown: ShownCertificates;

  constructor(options: GroupOptions, voice: GroupVoice) {
    this.#options = options;
    this.#voice = voice;
    this.#shown = new ShownCertificates(voice);
  }

  /** How to speak with a server that has the certificate of this Secret; undefined: not known yet. */
  optionsFor(secretName: string): ConnectionOptions | undefined {
    return this.#known.get(secretName)?.options;
  }

  /** The certificate that the group's newest pods are to show; undefined: not known, or no TLS. */
  certificateOf(secretName: string | undefined): GroupCertificate | undefined {
    return secretName === undefined ? undefined : this.#known.get(secretName)?.certificate;
  }

  /** Begins to read what is due. @param denied some server was not believed */
  look(pods: readonly PodFact[], denied: boolean): void {
    const names = new Set(pods.flatMap(({ settings }) => settings.tlsSecret ?? []));
    for (const name of names) {
      const every = this.#known.has(name) ? (denied ? DENIED_MS : CHECK_MS) : UNKNOWN_MS;
      if (this.#reading.has(name) || Date.now() - (this.#readAt.get(name) ?? 0) < every) continue;
      this.#reading.add(name);
      this.#readAt.set(name, Date.now());
      this.#read(name)
        .catch(this.#failed)
        .finally(() => this.#reading.delete(name));
    }
    this.#shown.look(pods, (name) => this.#known.get(name));
  }

  readonly #failed = (error: unknown): void => {
    const { log, group } = this.#options;
    log.warn({ reason: REASON.ActFailed, ...group, err: messageOf(error) }, "a certificate of the group could not be read");
  };

  async #read(name: string): Promise<void> {
    const { kube, group, source } = this.#options;
    const secret = await kube.get<Secret>(PATH.secrets(group.namespace, name)).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
    if (secret === undefined) {
      this.#tell(name, ["does not exist: no pod with it can start; make it, as in docs/tls.md"]);
      return;
    }
    const names = masterNames(group.namespace, source.masterServiceName());
    const { usable, problems } = inspectGroupCertificate(secret.data ?? {}, names, Date.now());
    this.#tell(name, problems);
    if (usable === undefined) return;
    const before = this.#known.get(name);
    const former = formerOf(before, usable, Date.now());
    const authority = former === undefined ? usable.authority : `${usable.authority}\n${former.authority}`;
    this.#known.set(name, { certificate: usable, former, options: tlsOptions({ ...usable, authority }, names) });
    if (before !== undefined && before.certificate.fingerprint !== usable.fingerprint) this.#shown.renewed();
  }

  #tell(name: string, problems: readonly string[]): void {
    const reason = REASON.GroupCertificateUnusable;
    if (problems.length === 0) this.#voice.over(reason, name);
    else this.#voice.stands({ reason, message: `Secret ${name} ${problems.join("; ")}` }, name);
  }
}

function formerOf(before: Known | undefined, now: GroupCertificate, at: number): Known["former"] {
  if (before !== undefined && before.certificate.authority !== now.authority)
    return { authority: before.certificate.authority, until: at + FORMER_MS };
  return before?.former !== undefined && before.former.until > at ? before.former : undefined;
}
