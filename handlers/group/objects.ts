/** The Secret and the Services of a group: there, and the password known, before anything else is done. */
import type { GroupFacts, PodFact } from "../../model/facts.ts";
import { networkPolicyName } from "../../model/names.ts";
import type { Notice } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import type { GroupSettings } from "../../model/settings.ts";
import { messageOf } from "../act/context.ts";
import { applyNetworkPolicy } from "../act/network-policy.ts";
import { createServices } from "../act/objects.ts";
import { GroupBudgets } from "./budgets.ts";
import { GroupExposure } from "./exposure.ts";
import { refuseRequests } from "./refused-requests.ts";
import { GroupSecret } from "./secret.ts";
import type { GroupOptions } from "./source.ts";
import { GroupTls } from "./tls.ts";
import type { GroupVoice } from "./voice.ts";

/** So often it is asked whether the NetworkPolicy is still as it should be, ms. */
const CHECK_MS = 60_000;

/** On the way back plain pods, which are no labelled clients, copy the data of the last pod of the group: they must reach it. */
function openForHeirs(settings: GroupSettings): GroupSettings {
  return settings.networkPolicy === "labelled" ? { ...settings, networkPolicy: "namespace" } : settings;
}

export class GroupObjects {
  readonly #options: GroupOptions;
  readonly #voice: GroupVoice;
  readonly #secret: GroupSecret;
  readonly tls: GroupTls;
  readonly #budgets: GroupBudgets;
  readonly #exposure: GroupExposure;
  /** the API server's last word, while the password is not known */
  #problem: Notice | undefined;
  /** a Service that was taken over and not told of yet */
  #takenOver: string | undefined;
  /** what was asked of the API server last */
  #policy = { wanted: "", at: 0 };

  constructor(options: GroupOptions, voice: GroupVoice) {
    this.#options = options;
    this.#voice = voice;
    this.#secret = new GroupSecret(options, voice);
    this.tls = new GroupTls(options, voice);
    this.#budgets = new GroupBudgets(options, voice);
    this.#exposure = new GroupExposure(options, voice);
  }

  get password(): string | undefined {
    return this.#secret.value;
  }

  /** Why nothing can be done for this group; undefined: nothing stands in the way. */
  get halted(): Notice | undefined {
    return this.#secret.halted ?? this.#problem;
  }

  /** It was read once; its value may still be "none". */
  get passwordKnown(): boolean {
    return this.#secret.known;
  }

  /** Nobody of the group is left, and it may be on its way out with its whole namespace: the Secret is read again when somebody comes. */
  doubt(): void {
    const { source } = this.#options;
    this.#secret.doubt();
    this.#budgets.keep(source.settings(), source.masterService(source.masterServiceName()));
  }

  /**
   * Secret and Services exist, and the password is known. False: not now; told, and tried again by the back-stop.
   * @param before the facts of the round before: a refused password there is a reason to read the Secret again
   */
  async ensure(pods: readonly PodFact[], settings: GroupSettings, before: GroupFacts | undefined): Promise<boolean> {
    const { kube, group, source, log } = this.#options;
    const denied =
      before?.members.some(({ redis, sentinel }) => redis?.state === "denied" || sentinel?.state === "denied") === true;
    this.tls.look(pods, denied);
    try {
      if (!(await this.#secret.ensure(pods, settings, denied))) {
        const { halted } = this.#secret;
        if (halted !== undefined) await refuseRequests(this.#options, this.#voice, halted);
        return false;
      }
      this.#tellTakenOver();
      // A group whose pods are all going gets nothing any more: its Service may just have been given back.
      const going = pods.every(({ terminating }) => terminating);
      if (source.leading() && !going) {
        const { created, takenOver } = await createServices(kube, group, settings, (name) => source.serviceExists(name));
        if (created.length > 0) this.#voice.say(REASON.ServiceCreated, `created Services ${created.join(", ")}`);
        this.#takenOver = takenOver ?? this.#takenOver;
        const service = source.masterService(source.masterServiceName());
        this.#budgets.keep(settings, service);
        this.#exposure.keep(settings, service);
      }
      const heirs = going && (before?.outsiders.length ?? 0) > 0;
      if (source.leading() && (heirs || !going)) this.#networkPolicy(heirs ? openForHeirs(settings) : settings);
      this.#problem = undefined;
      return true;
    } catch (error) {
      if (!this.passwordKnown) this.#problem = { reason: REASON.ActFailed, message: messageOf(error) };
      log.warn(
        { reason: REASON.ActFailed, ...group, err: messageOf(error) },
        "Secret or Services of the group could not be made",
      );
      return this.passwordKnown;
    }
  }

  /** Once the watch shows the Service: before that there is no object to put the Event on. */
  #tellTakenOver(): void {
    const name = this.#takenOver;
    if (name === undefined || !this.#options.source.serviceExists(name)) return;
    this.#takenOver = undefined;
    this.#voice.say(
      REASON.ServiceTakenOver,
      `Service ${name} leads to the group's master from now on; its selector is remembered, to be given back`,
    );
  }

  /** When it changes, and from time to time where there is one. Not waited for: a failover must not hang on it. */
  #networkPolicy(settings: GroupSettings): void {
    const { kube, group, source, log, handlersNamespace } = this.#options;
    const service = source.masterService(source.masterServiceName());
    const wanted = `${settings.networkPolicy} ${settings.port}`;
    const again = settings.networkPolicy !== "none" && Date.now() - this.#policy.at > CHECK_MS;
    if (service === undefined || (wanted === this.#policy.wanted && !again)) return;
    this.#policy = { wanted, at: Date.now() };
    applyNetworkPolicy(kube, group, settings, handlersNamespace, service).then(
      (changed) => {
        if (changed)
          this.#voice.say(
            REASON.NetworkPolicyChanged,
            `NetworkPolicy ${networkPolicyName(group.cluster)} is ${settings.networkPolicy} now`,
          );
      },
      // Tried again when its time has come.
      (error: unknown) =>
        log.warn({ reason: REASON.ActFailed, ...group, err: messageOf(error) }, "the group's NetworkPolicy could not be made"),
    );
  }
}
