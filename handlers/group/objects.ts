/** The Secret and the Services of a group: there, and the password known, before anything else is done. */
import type { GroupFacts, PodFact } from "../../model/facts.ts";
import { REASON } from "../../model/reasons.ts";
import type { GroupSettings } from "../../model/settings.ts";
import { messageOf } from "../act/context.ts";
import { createServices, password } from "../act/objects.ts";
import type { GroupOptions } from "./source.ts";
import type { GroupVoice } from "./voice.ts";

/** When servers refuse the password the Secret is read again, so often at most, ms. */
const PASSWORD_MS = 5000;

export class GroupObjects {
  readonly #options: GroupOptions;
  readonly #voice: GroupVoice;
  #password: { value: string | undefined; key: string; readAt: number } | undefined;
  #inDoubt = false;

  constructor(options: GroupOptions, voice: GroupVoice) {
    this.#options = options;
    this.#voice = voice;
  }

  get password(): string | undefined {
    return this.#password?.value;
  }

  /** It was read once; its value may still be "none". */
  get passwordKnown(): boolean {
    return this.#password !== undefined;
  }

  /** Nobody of the group is left, and it may be on its way out with its whole namespace: the Secret is read again when somebody comes. */
  doubt(): void {
    this.#inDoubt = true;
  }

  /**
   * Secret and Services exist, and the password is known. False: not now; told, and tried again by the back-stop.
   * @param before the facts of the round before: a refused password there is a reason to read the Secret again
   */
  async ensure(pods: readonly PodFact[], settings: GroupSettings, before: GroupFacts | undefined): Promise<boolean> {
    const { kube, group, source, log } = this.#options;
    const key = JSON.stringify(settings.auth);
    try {
      const known = this.#password;
      const denied = before?.members.some(({ redis, sentinel }) => redis?.state === "denied" || sentinel?.state === "denied");
      const stale = denied === true && known !== undefined && Date.now() - known.readAt > PASSWORD_MS;
      if (known?.key !== key || stale || this.#inDoubt) {
        this.#password = { key, value: await password(kube, group, settings), readAt: Date.now() };
        this.#inDoubt = false;
      }
      // A group whose pods are all going gets nothing any more: its Service may just have been given back.
      if (source.leading() && pods.some(({ terminating }) => !terminating)) {
        const created = await createServices(kube, group, settings, (name) => source.serviceExists(name));
        if (created.length > 0) this.#voice.say(REASON.ServiceCreated, `created Services ${created.join(", ")}`);
      }
      return true;
    } catch (error) {
      log.warn(
        { reason: REASON.ActFailed, ...group, err: messageOf(error) },
        "Secret or Services of the group could not be made",
      );
      return this.passwordKnown;
    }
  }
}
