/**
 * The loop of one group, serial: observe → decide → act, whenever something woke it and at least every BACKSTOP_MS (law 2).
 * All I/O of the group starts here; all judgement is in policies/.
 */
import type { Kube } from "../kube/client.ts";
import type { ObjectRef } from "../kube/types.ts";
import type { GroupFacts, GroupId, MemberFact, PodFact, PromotionHint, ServiceFact } from "../model/facts.ts";
import { masterName } from "../model/names.ts";
import type { Action, Memory, Notice, Plan } from "../model/plan.ts";
import { REASON, type Reason } from "../model/reasons.ts";
import type { GroupSettings } from "../model/settings.ts";
import type { Logger } from "../report/log.ts";
import type { Metrics } from "../report/metrics.ts";
import type { Reporter } from "../report/report.ts";
import { act } from "./act/act.ts";
import { type ActContext, type Endpoints, messageOf } from "./act/context.ts";
import { createServices, password } from "./act/objects.ts";
import type { Timeline } from "./act/timeline.ts";
import { GroupLinks, type OutsiderPod } from "./observe/group-links.ts";
import { candidateOf, epochOf, type SentinelEvent } from "./observe/sentinel-events.ts";
import { decide, freshMemory } from "./policies/decide.ts";
import { CLAIMED } from "./policies/route.ts";

/** What the group's loop asks of the watches. */
export interface GroupSource {
  pods(): PodFact[];
  /** the master Service; undefined: does not exist */
  masterService(name: string): ServiceFact | undefined;
  serviceExists(name: string): boolean;
  /** un-injected pods of the same workloads, and the labels that those workloads select by */
  outsiders(): Promise<{ pods: OutsiderPod[]; selector: Readonly<Record<string, string>> | undefined }>;
  settings(): GroupSettings;
  leading(): boolean;
  readonly endpoints: Endpoints;
  /** objects that get the group's Events besides the master Service */
  involved(): ObjectRef[];
  masterServiceName(): string;
}

export interface GroupOptions {
  readonly kube: Kube;
  readonly group: GroupId;
  readonly source: GroupSource;
  readonly reporter: Reporter;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** Missing any event costs at most this, ms. */
const BACKSTOP_MS = 1000;
/** When servers refuse the password the Secret is read again, so often at most, ms. */
const PASSWORD_MS = 5000;
/** While something is under way that no event announces (a candidate's role, a link coming up), ms. */
const BUSY_MS = 20;
const HINT_MS = 3000;
const TIMELINES = 20;
/** After a refused or failed promotion or handover the next try waits, ms. */
const RETRY_MS = { promote: 150, handover: 1000 } as const;

export interface GroupView {
  readonly group: GroupId;
  readonly plan: Plan | undefined;
  readonly facts: GroupFacts | undefined;
  readonly timelines: readonly Timeline[];
}

export class Group {
  readonly #options: GroupOptions;
  readonly #links: GroupLinks;
  readonly #told = new Map<Reason, string>();
  readonly #timelines: Timeline[] = [];
  readonly #inFlight = new Set<string>();
  #memory: Memory;
  #facts: GroupFacts | undefined;
  #plan: Plan | undefined;
  #hint: { address: PromotionHint["address"]; at: number } | undefined;
  #epochHeard = 0;
  #wanted = true;
  /** the last thing that was wrong with listing un-injected pods, so that it is logged once */
  #complaint: string | undefined;
  #running = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  #password: { value: string | undefined; key: string; readAt: number } | undefined;
  #secretInDoubt = false;

  constructor(options: GroupOptions) {
    this.#options = options;
    this.#memory = freshMemory(Date.now());
    const name = masterName(options.group.namespace, options.group.cluster);
    this.#links = new GroupLinks({ masterName: name, wake: () => this.wake(), onEvent: (event) => this.#heard(event, name) });
    this.wake();
  }

  /** Something may have changed. Cheap; many calls become one round. */
  wake(): void {
    this.#wanted = true;
    if (!this.#running && !this.#stopped) {
      this.#running = true;
      void this.#run();
    }
  }

  view(): GroupView {
    return { group: this.#options.group, plan: this.#plan, facts: this.#facts, timelines: this.#timelines };
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#links.close();
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      try {
        await this.#round();
      } catch (error) {
        this.#options.metrics.unhandledErrors.inc();
        this.#options.log.error(
          { err: error, ...this.#options.group },
          "a round of the group's loop failed: this is a bug of redis-ha",
        );
      }
    }
    this.#running = false;
    if (!this.#stopped) this.#timer = setTimeout(() => this.wake(), this.#pauseMs());
  }

  /** How long nothing happens unless an event wakes the loop. */
  #pauseMs(): number {
    if (this.#hint !== undefined || this.#plan?.state === "handover") return BUSY_MS;
    const { promoteNotBefore, handoverNotBefore } = this.#memory;
    const retries = [promoteNotBefore, handoverNotBefore].map((at) => at - Date.now()).filter((wait) => wait > 0);
    return Math.min(BACKSTOP_MS, ...retries);
  }

  async #round(): Promise<void> {
    const { source, metrics } = this.#options;
    const pods = source.pods();
    const settings = source.settings();
    if (!(await this.#objects(pods, settings))) return;
    this.#links.sync(pods, this.#password?.value);
    const observed = performance.now();
    // Before the members: a Service that is older than they are only makes the patch conflict; a newer one would let old facts undo a newer route.
    const masterService = source.masterService(source.masterServiceName());
    const members = await this.#links.read(pods);
    const outsiders = await this.#outsiders(pods);
    if (outsiders === undefined) return;
    const facts = this.#gather(members, settings, outsiders, masterService);
    const decided = performance.now();
    const plan = decide(facts, this.#memory);
    this.#facts = facts;
    this.#plan = plan;
    this.#memory = plan.memory;
    this.#tell(plan.notices);
    const acting = performance.now();
    await this.#act(plan.actions, facts);
    metrics.loopSeconds.observe({ phase: "observe" }, (decided - observed) / 1000);
    metrics.loopSeconds.observe({ phase: "decide" }, (acting - decided) / 1000);
    metrics.loopSeconds.observe({ phase: "act" }, (performance.now() - acting) / 1000);
  }

  /** Un-injected pods matter before the bootstrap (adoption), and when every injected pod is going (release). */
  async #outsiders(pods: readonly PodFact[]): Promise<Pick<GroupFacts, "outsiders" | "outsiderSelector"> | undefined> {
    const { source, log, group } = this.#options;
    const record = source.masterService(source.masterServiceName())?.record;
    const redis = pods.filter(({ hasRedis, ended }) => hasRedis && !ended);
    const matters =
      record === undefined || record.reason === CLAIMED || (redis.length > 0 && redis.every(({ terminating }) => terminating));
    try {
      const found = matters && redis.length > 0 ? await source.outsiders() : { pods: [], selector: undefined };
      return { outsiders: await this.#links.readOutsiders(found.pods), outsiderSelector: found.selector };
    } catch (error) {
      const why = messageOf(error);
      if (this.#complaint !== why)
        log.warn({ ...group, reason: REASON.ActFailed, err: why }, "un-injected pods of the workload could not be listed");
      this.#complaint = why;
      // Not knowing whether somebody holds the data is not the same as nobody: no bootstrap in this round.
      return record === undefined ? undefined : { outsiders: [], outsiderSelector: undefined };
    }
  }

  #gather(
    members: readonly MemberFact[],
    settings: GroupSettings,
    outsiders: Pick<GroupFacts, "outsiders" | "outsiderSelector">,
    masterService: ServiceFact | undefined,
  ): GroupFacts {
    const { source, group } = this.#options;
    const at = Date.now();
    const hint = this.#hint;
    if (hint !== undefined && at - hint.at > HINT_MS) this.#hint = undefined;
    return {
      group,
      at,
      leading: source.leading(),
      settings,
      members,
      ...outsiders,
      masterService,
      endpointsQuietMs: source.endpoints.quietMs(),
      hint: this.#hint === undefined ? undefined : { address: this.#hint.address, ageMs: at - this.#hint.at },
      epochHeard: this.#epochHeard,
    };
  }

  /**
   * Nothing is made for a group without pods, and it may be on its way out with its whole namespace: whoever comes next under this name is met anew.
   * The password is kept until then, for the connections to processes that have outlived their pods.
   */
  #emptied(): void {
    const { source } = this.#options;
    this.#secretInDoubt = true;
    if (source.serviceExists(source.masterServiceName())) return;
    this.#memory = freshMemory(Date.now());
    this.#epochHeard = 0;
  }

  /** Secret and Services exist, and the password is known. False: not now; told, and tried again by the back-stop. */
  async #objects(pods: readonly PodFact[], settings: GroupSettings): Promise<boolean> {
    const { kube, group, source, log } = this.#options;
    if (pods.length === 0) {
      this.#emptied();
      return this.#password !== undefined;
    }
    const key = JSON.stringify(settings.auth);
    try {
      const known = this.#password;
      const denied = this.#facts?.members.some(
        ({ redis, sentinel }) => redis?.state === "denied" || sentinel?.state === "denied",
      );
      const stale = denied === true && known !== undefined && Date.now() - known.readAt > PASSWORD_MS;
      if (known?.key !== key || stale || this.#secretInDoubt) {
        this.#password = { key, value: await password(kube, group, settings), readAt: Date.now() };
        this.#secretInDoubt = false;
      }
      // A group whose pods are all going gets nothing any more: its Service may just have been given back.
      if (source.leading() && pods.some(({ terminating }) => !terminating)) {
        const created = await createServices(kube, group, settings, (name) => source.serviceExists(name));
        if (created.length > 0) this.#say(REASON.ServiceCreated, `created Services ${created.join(", ")}`);
      }
      return true;
    } catch (error) {
      log.warn(
        { reason: REASON.ActFailed, ...group, err: messageOf(error) },
        "Secret or Services of the group could not be made",
      );
      return this.#password !== undefined;
    }
  }

  async #act(actions: readonly Action[], facts: GroupFacts): Promise<void> {
    const context = this.#context(facts);
    const urgent = actions.filter(({ kind }) => URGENT.has(kind));
    const done: boolean[] = [];
    for (const action of urgent) done.push(await this.#one(context, action));
    // A request that could not be fulfilled stays on the Service and is tried again.
    const unfulfilled = urgent.some(({ kind }, at) => kind === "promote" && done[at] !== true);
    const rest = actions.filter(({ kind }) => !URGENT.has(kind) && !(unfulfilled && kind === "mark-service"));
    for (const action of rest) if (UNHURRIED.has(action.kind)) this.#later(context, action);
    const others = rest.filter(({ kind }) => !UNHURRIED.has(kind));
    done.push(...(await Promise.all(others.map((action) => this.#one(context, action)))));
    // What was done has changed the facts: look again at once, without waiting for an event. What failed would only fail again.
    if ([...urgent, ...others].some(({ kind }, at) => done[at] === true && CHANGES_MASTER.has(kind))) this.#wanted = true;
  }

  /** Writes that only the API server takes part in: one at a time for each object, and never waited for. A hanging API server must not delay a failover. */
  #later(context: ActContext, action: Action): void {
    const key = "pod" in action ? `${action.kind} ${action.pod.uid}` : action.kind;
    if (this.#inFlight.has(key)) return;
    this.#inFlight.add(key);
    context.background(this.#one(context, action).finally(() => this.#inFlight.delete(key)));
  }

  /** Whether it was done. */
  async #one(context: ActContext, action: Action): Promise<boolean> {
    const { metrics, log, group } = this.#options;
    const result = await act(context, action);
    metrics.acts.inc({ kind: action.kind, result: result.outcome });
    if (result.outcome === "done") return true;
    const level = result.outcome === "failed" ? "warn" : "info";
    log[level]({ ...group, action: action.kind, outcome: result.outcome, reason: REASON.ActFailed }, result.why);
    const now = Date.now();
    if (action.kind === "promote") this.#memory = { ...this.#memory, promoteNotBefore: now + RETRY_MS.promote };
    const pauses = action.kind === "handover" || action.kind === "adopt" || action.kind === "release";
    if (pauses) this.#memory = { ...this.#memory, handoverNotBefore: now + RETRY_MS.handover };
    return false;
  }

  #context(facts: GroupFacts): ActContext {
    const { kube, group, source, log, metrics } = this.#options;
    return {
      kube,
      group,
      links: this.#links,
      log,
      endpoints: source.endpoints,
      facts,
      leading: () => source.leading(),
      say: (reason, message, fields) => this.#say(reason, message, fields),
      recordTimeline: (timeline) => {
        this.#timelines.unshift(timeline);
        this.#timelines.length = Math.min(this.#timelines.length, TIMELINES);
        for (const { step, ms } of timeline.steps) metrics.failoverSeconds.observe({ step, cause: timeline.kind }, ms / 1000);
      },
      background: (work) => {
        work.catch((error: unknown) =>
          log.warn({ ...group, reason: REASON.ActFailed, err: messageOf(error) }, "background work of an act failed"),
        );
      },
    };
  }

  /** A notice is told once, and again when its text changes or it was gone in between. */
  #tell(notices: readonly Notice[]): void {
    const now = new Map(notices.map(({ reason, message }) => [reason, message]));
    for (const reason of this.#told.keys()) if (!now.has(reason)) this.#told.delete(reason);
    for (const [reason, message] of now) {
      if (this.#told.get(reason) === message) continue;
      this.#told.set(reason, message);
      this.#say(reason, message);
    }
  }

  #say(reason: Reason, message: string, fields?: Readonly<Record<string, unknown>>): void {
    const { reporter, group, source } = this.#options;
    // A replica of the handlers that does not lead keeps quiet: the leader says the same.
    const involved = source.leading() || reason === REASON.MasterRouted ? source.involved() : [];
    reporter.report({ reason, message, ...group, involved, ...(fields === undefined ? {} : { fields }) });
  }

  #heard(event: SentinelEvent, name: string): void {
    const epoch = epochOf(event);
    if (epoch !== undefined) this.#epochHeard = Math.max(this.#epochHeard, epoch);
    if (event.channel === "+failover-state-wait-promotion") {
      const candidate = candidateOf(event.message);
      if (candidate?.name === name) this.#hint = { address: candidate.address, at: Date.now() };
    }
    if (event.channel === "+switch-master" || event.channel.startsWith("-failover-abort")) this.#hint = undefined;
    this.wake();
  }
}

/** Done one after the other, before everything else. */
const URGENT: ReadonlySet<Action["kind"]> = new Set<Action["kind"]>([
  "route",
  "claim",
  "promote",
  "sentinel-failover",
  "handover",
  "fence",
  "copy",
  "adopt",
  "release",
]);
/** What these change is read from Redis and Sentinel. `route` and `claim` change the Service: its watch wakes the loop, and before that it would act again. */
const UNHURRIED: ReadonlySet<Action["kind"]> = new Set<Action["kind"]>(["mark-pod", "mark-service", "give-slot"]);
const CHANGES_MASTER: ReadonlySet<Action["kind"]> = new Set<Action["kind"]>([
  "promote",
  "handover",
  "fence",
  "adopt",
  "release",
  "monitor",
  "attach",
]);
