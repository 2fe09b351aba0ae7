/**
 * The group's password: read once, made where there is none yet, and put back where somebody deleted the Secret of a group that runs. A running group never gets
 * a new password behind its back: nobody could log in to anybody any more.
 */
import type { PodFact } from "../../model/facts.ts";
import { ANNOTATION, ENV, secretName } from "../../model/names.ts";
import type { Notice } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import type { GroupSettings } from "../../model/settings.ts";
import { messageOf } from "../act/context.ts";
import { createSecret, NoSuchKey, newPassword, readPassword, type SecretPlace, secretOf } from "../act/objects.ts";
import type { GroupOptions } from "./source.ts";
import type { GroupVoice } from "./voice.ts";

/** When servers refuse the password the Secret is read again, so often at most, ms. */
const DENIED_MS = 5000;
/** So often it is asked whether the Secret is still there, ms. */
const CHECK_MS = 30_000;

const keyOf = ({ auth }: GroupSettings): string => JSON.stringify(auth);

export class GroupSecret {
  readonly #options: GroupOptions;
  readonly #voice: GroupVoice;
  #known: { readonly value: string | undefined; readonly key: string; readonly readAt: number } | undefined;
  #checkedAt = 0;
  #inDoubt = false;
  /** when a reading that came to nothing began; 0: the last one did not */
  #failedAt = 0;
  #halted: Notice | undefined;

  constructor(options: GroupOptions, voice: GroupVoice) {
    this.#options = options;
    this.#voice = voice;
  }

  get value(): string | undefined {
    return this.#known?.value;
  }

  /** Why nothing can be done for this group; undefined: nothing stands in the way. */
  get halted(): Notice | undefined {
    return this.#halted;
  }

  /** It was read once; its value may still be "none". */
  get known(): boolean {
    return this.#known !== undefined;
  }

  /** Nobody of the group is left, and it may be on its way out with its whole namespace: the Secret is read again when somebody comes. */
  doubt(): void {
    this.#inDoubt = true;
    this.#halted = undefined;
  }

  /** Reads the Secret where that is due. False: there is no password, and none may be made. Rejects when the API server does not answer. */
  async ensure(pods: readonly PodFact[], settings: GroupSettings, denied: boolean): Promise<boolean> {
    const { log, group } = this.#options;
    const key = keyOf(settings);
    const stale = denied && this.#known !== undefined && Date.now() - this.#known.readAt > DENIED_MS;
    if (this.#known?.key !== key || stale || this.#inDoubt) {
      // What pods run with is known, and only another one is wanted that can't be had: a failover must not wait for that.
      if (Date.now() - this.#failedAt < DENIED_MS && this.#serves(pods)) return true;
      this.#failedAt = Date.now();
      if (!(await this.#read(pods, settings, key))) return false;
      this.#failedAt = 0;
      this.#inDoubt = false;
      this.#checkedAt = Date.now();
    } else if (Date.now() - this.#checkedAt > CHECK_MS) {
      this.#checkedAt = Date.now();
      // Not waited for: a hanging API server must not delay a failover.
      this.#check(settings).catch((error: unknown) =>
        log.debug({ reason: REASON.ActFailed, ...group, err: messageOf(error) }, "the Secret could not be looked at"),
      );
    }
    return true;
  }

  async #read(pods: readonly PodFact[], settings: GroupSettings, key: string): Promise<boolean> {
    const { kube, group } = this.#options;
    const place = secretOf(group, settings);
    const running = pods.find((pod) => pod.started && !pod.ended && keyOf(pod.settings) === key);
    if (place !== undefined && settings.auth.kind === "secret") return await this.#readOwn(pods, place, running, key);
    let value = place === undefined ? undefined : await readPassword(kube, group, place);
    if (place !== undefined && value === undefined) {
      const kept = running !== undefined && this.#known?.key === key ? this.#known.value : undefined;
      if (running !== undefined && kept === undefined) return this.#halt(place, `Secret ${place.name} is gone`, running);
      const made = await createSecret(kube, group, kept ?? newPassword());
      if (made) this.#made(kept !== undefined);
      value = await readPassword(kube, group, place);
      if (value === undefined) throw new Error(`Secret ${group.namespace}/${place.name} is gone again`);
    }
    return this.#take(key, value);
  }

  /** Somebody runs with the password that is known. */
  #serves(pods: readonly PodFact[]): boolean {
    return pods.some((pod) => pod.started && !pod.ended && keyOf(pod.settings) === this.#known?.key);
  }

  /** A Secret that the user names is never made by us. Rejects where it can't be had but pods run with what is known: the group goes on with that. */
  async #readOwn(pods: readonly PodFact[], place: SecretPlace, running: PodFact | undefined, key: string): Promise<boolean> {
    const { kube, group } = this.#options;
    const found = await readPassword(kube, group, place).catch((error: unknown) => {
      if (error instanceof NoSuchKey) return error;
      throw error;
    });
    if (typeof found === "string") return this.#take(key, found);
    const exists = found !== undefined;
    const problem = `Secret ${place.name}, which ${ANNOTATION.auth} names, ${exists ? `has no key ${place.key}` : "does not exist"}`;
    if (this.#serves(pods)) throw new Error(`${problem}: the pods that run go on with the password that they have`);
    return this.#halt(place, problem, running, exists);
  }

  #take(key: string, value: string | undefined): true {
    this.#known = { key, value, readAt: Date.now() };
    this.#halted = undefined;
    return true;
  }

  /** Only whether it is there: a value that somebody changed by hand is nobody's password yet. */
  async #check(settings: GroupSettings): Promise<void> {
    const { kube, group, source } = this.#options;
    const place = secretOf(group, settings);
    if (settings.auth.kind !== "generated" || place === undefined || this.value === undefined || !source.leading()) return;
    if ((await readPassword(kube, group, place)) !== undefined) return;
    if (await createSecret(kube, group, this.value)) this.#made(true);
  }

  #made(again: boolean): void {
    const name = secretName(this.#options.group.cluster);
    if (again)
      this.#voice.say(
        REASON.SecretRestored,
        `Secret ${name} was gone while the group runs; it is there again, with the password that is in use`,
      );
    else this.#voice.say(REASON.SecretCreated, `created Secret ${name} with the group's password`);
  }

  /** @param running a pod that runs with the password; where there is none, none can start */
  #halt(place: SecretPlace, problem: string, running: PodFact | undefined, exists = false): false {
    const { namespace } = this.#options.group;
    const container = running?.settings.container === undefined ? "" : ` -c ${running.settings.container}`;
    // An exec that fails must not put an empty password there.
    const value =
      running === undefined
        ? "'PASSWORD'"
        : `"$(kubectl -n ${namespace} exec ${running.name}${container} -- printenv ${ENV.password})"`;
    const command = exists
      ? `patch secret ${place.name} -p '{"data":{"${place.key}":"'$(printf %s "$P" | base64 | tr -d '\\n')'"}}'`
      : `create secret generic ${place.name} --from-literal=${place.key}="$P"`;
    const meanwhile =
      running === undefined
        ? "no pod can start without it"
        : `nobody here knows the password with which ${running.name} runs: no master can be chosen or moved`;
    const message = `${problem}, and ${meanwhile}; put it back with: P=${value} && kubectl -n ${namespace} ${command}`;
    this.#halted = { reason: REASON.HaltedSecretMissing, message };
    this.#voice.stands(this.#halted);
    return false;
  }
}
