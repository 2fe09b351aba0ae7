/**
 * Which certificate each server of a group shows: asked on a connection of its own, since one that stands keeps the certificate with which it was made.
 * Only looks and tells; the pods take up a renewed certificate by themselves (docker/boot/tls.sh).
 */
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import type { GroupCertificate } from "../../certs/group-certificate.ts";
import type { PodFact } from "../../model/facts.ts";
import { SENTINEL_PORT } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import type { GroupVoice } from "./voice.ts";

/** So often it is asked while somebody shows another certificate than the Secret's, and else, ms. */
const PENDING_MS = 10_000;
const CHECK_MS = 300_000;
/** A kubelet brings a changed Secret within two minutes, and sentinels take turns; after this time something is wrong, ms. */
export const STALE_MS = 900_000;
const ANSWER_MS = 1000;

interface Server {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

interface Known {
  readonly certificate: GroupCertificate;
  readonly options: ConnectionOptions;
}

export class ShownCertificates {
  readonly #voice: GroupVoice;
  #askedAt = 0;
  #asking = false;
  /** since when somebody shows another certificate; undefined: nobody does */
  #pendingSince: number | undefined;
  #stale = false;

  constructor(voice: GroupVoice) {
    this.#voice = voice;
  }

  /** Begins to ask where that is due; not waited for. `known`: what is in a Secret, undefined where it is not known yet */
  look(pods: readonly PodFact[], known: (secretName: string) => Known | undefined): void {
    const every = this.#pendingSince === undefined ? CHECK_MS : PENDING_MS;
    if (this.#asking || Date.now() - this.#askedAt < every) return;
    if (!pods.some(({ settings }) => settings.tlsSecret !== undefined && known(settings.tlsSecret) !== undefined)) return;
    this.#asking = true;
    this.#askedAt = Date.now();
    void this.#ask(pods, known).finally(() => {
      this.#asking = false;
    });
  }

  /** The Secret has changed: look at once, and say when everybody shows the new certificate. */
  renewed(): void {
    this.#pendingSince ??= Date.now();
    this.#askedAt = 0;
  }

  async #ask(pods: readonly PodFact[], known: (secretName: string) => Known | undefined): Promise<void> {
    const asked = pods.flatMap((pod) => {
      const secret = pod.settings.tlsSecret === undefined ? undefined : known(pod.settings.tlsSecret);
      return secret === undefined || pod.terminating ? [] : serversOf(pod).map((server) => ({ server, secret }));
    });
    const shown = await Promise.all(asked.map(({ server, secret }) => shownBy(server, secret.options)));
    // One that does not answer is nothing that a certificate explains.
    const others = asked.filter(({ secret }, at) => shown[at] !== undefined && shown[at] !== secret.certificate.fingerprint);
    this.#judge(
      others.map(({ server }) => server.name),
      asked.map(({ secret }) => secret.certificate),
      shown.length,
    );
  }

  #judge(others: readonly string[], certificates: readonly GroupCertificate[], count: number): void {
    if (others.length > 0) {
      this.#pendingSince ??= Date.now();
      if (this.#stale || Date.now() - this.#pendingSince < STALE_MS) return;
      this.#stale = true;
      this.#voice.say(
        REASON.GroupCertificateStale,
        `${others.join(", ")} still show another certificate than the Secret's: see the log of these containers, or restart the pods one by one`,
      );
      return;
    }
    if (this.#pendingSince === undefined || count === 0) return;
    this.#pendingSince = undefined;
    this.#stale = false;
    const until = Math.min(...certificates.map((one) => one.until));
    this.#voice.say(
      REASON.GroupCertificateRenewed,
      `all ${count} servers and sentinels show the renewed certificate, valid until ${new Date(until).toISOString()}`,
    );
  }
}

function serversOf({ name, ip, port, hasRedis, hasSentinel, ended }: PodFact): Server[] {
  if (ip === undefined || ended) return [];
  return [
    ...(hasRedis ? [{ name, host: ip, port }] : []),
    ...(hasSentinel ? [{ name: `the sentinel of ${name}`, host: ip, port: SENTINEL_PORT }] : []),
  ];
}

/** Fingerprint of the certificate that is shown; undefined without an answer, or where it is not believed. */
function shownBy({ host, port }: Server, options: ConnectionOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    const end = (socket: TLSSocket, fingerprint?: string): void => {
      socket.destroy();
      resolve(fingerprint);
    };
    const socket: TLSSocket = connect({ ...options, host, port }, () =>
      end(socket, socket.getPeerX509Certificate()?.fingerprint256),
    );
    socket.on("error", () => end(socket));
    socket.setTimeout(ANSWER_MS, () => end(socket));
  });
}
