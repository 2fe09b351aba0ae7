/**
 * The loop of one group, serial: observe → decide → act, whenever something woke it and at least every BACKSTOP_MS (law 2).
 * All I/O of the group starts here; all judgement is in policies/.
 */
import type { GroupFacts, MemberFact, PodFact, ServiceFact } from "../model/facts.ts";
import { masterName } from "../model/names.ts";
import type { Memory, Plan } from "../model/plan.ts";
import type { GroupSettings } from "../model/settings.ts";
import { mergeTimelines, type Timeline } from "../model/timeline.ts";
import { CarryOut } from "./group/carry-out.ts";
import { GroupObjects } from "./group/objects.ts";
import { Outsiders } from "./group/outsiders.ts";
import type { GroupOptions, GroupView } from "./group/source.ts";
import { GroupVoice } from "./group/voice.ts";
import { GroupLinks } from "./observe/group-links.ts";
import { SentinelNews } from "./observe/sentinel-news.ts";
import { decide, freshMemory } from "./policies/decide.ts";
import { SILENT_HEIR_MS } from "./policies/successor.ts";

export type { GroupOptions, GroupSource, GroupView } from "./group/source.ts";

/** Missing any event costs at most this, ms. */
const BACKSTOP_MS = 1000;
/** While something is under way that no event announces (a candidate's role, a link coming up), ms. */
const BUSY_MS = 20;
/** EndpointSlices that do not follow for so long are asked for, ms: it may be our watch that does not tell. */
const ASK_ENDPOINTS_MS = 1000;
/** A planned hand-over that waits looks again when the proxies are free, but within these bounds, ms. */
const HANDOVER_MS = { least: 50, most: 200 } as const;

export class Group {
  readonly #options: GroupOptions;
  readonly #links: GroupLinks;
  readonly #news: SentinelNews;
  readonly #voice: GroupVoice;
  readonly #objects: GroupObjects;
  readonly #outsiders: Outsiders;
  readonly #carryOut: CarryOut;
  #timelines: readonly Timeline[] = [];
  #memory: Memory;
  #facts: GroupFacts | undefined;
  #plan: Plan | undefined;
  #wanted = true;
  #running = false;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: GroupOptions) {
    const name = masterName(options.group.namespace, options.group.cluster);
    this.#options = options;
    this.#memory = freshMemory(Date.now());
    this.#news = new SentinelNews(name);
    this.#links = new GroupLinks({
      masterName: name,
      wake: () => this.wake(),
      onEvent: (event) => {
        this.#news.heard(event);
        this.wake();
      },
      tls: (secretName) => this.#objects.tls.optionsFor(secretName),
    });
    this.#voice = new GroupVoice(options);
    this.#objects = new GroupObjects(options, this.#voice);
    this.#outsiders = new Outsiders(options, this.#links);
    this.#carryOut = new CarryOut({
      options,
      links: this.#links,
      voice: this.#voice,
      recordTimeline: (timeline) => this.#record(timeline),
    });
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
    const { group, source } = this.#options;
    const certificate = this.#objects.tls.certificateOf(this.#facts?.settings.tlsSecret);
    return {
      group,
      plan: this.#plan,
      facts: this.#facts,
      halted: this.#objects.halted,
      timelines: mergeTimelines(this.#timelines, source.timelines()),
      ...(certificate === undefined ? {} : { certificateUntil: certificate.until }),
    };
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
    const now = Date.now();
    if (this.#news.hint(now) !== undefined) return BUSY_MS;
    if (this.#plan?.state === "handover") {
      return Math.max(HANDOVER_MS.least, Math.min(HANDOVER_MS.most, this.#options.source.proxiesFreeInMs()));
    }
    const { promoteNotBefore, handoverNotBefore, lostAt = 0 } = this.#memory;
    // A silent heir is waited for until then, and nothing of it may wake the loop.
    const retries = [promoteNotBefore, handoverNotBefore, lostAt + SILENT_HEIR_MS]
      .map((at) => at - now)
      .filter((wait) => wait > 0);
    return Math.min(BACKSTOP_MS, ...retries);
  }

  async #round(): Promise<void> {
    const { source, metrics } = this.#options;
    const pods = source.pods();
    const settings = source.settings();
    if (!(await this.#prepared(pods, settings))) return;
    this.#links.sync(pods, this.#objects.password);
    const observed = performance.now();
    // Before the members: a Service that is older than they are only makes the patch conflict; a newer one would let old facts undo a newer route.
    const masterService = source.masterService(source.masterServiceName());
    const members = await this.#links.read(pods);
    const outsiders = await this.#outsiders.read(pods, this.#memory.lostAt === undefined ? undefined : this.#facts);
    if (outsiders === undefined) return;
    const facts = this.#gather(members, settings, outsiders, masterService);
    const decided = performance.now();
    const plan = decide(facts, this.#memory);
    this.#facts = facts;
    this.#plan = plan;
    this.#memory = plan.memory;
    this.#voice.tell(plan.notices);
    const { endpointsLate } = plan.memory;
    if (endpointsLate !== undefined && facts.at - endpointsLate.since >= ASK_ENDPOINTS_MS) source.askEndpoints();
    const acting = performance.now();
    const { again, memory } = await this.#carryOut.run(plan.actions, facts, plan.memory);
    this.#memory = { ...this.#memory, ...memory };
    if (again) this.#wanted = true;
    metrics.loopSeconds.observe({ phase: "observe" }, (decided - observed) / 1000);
    metrics.loopSeconds.observe({ phase: "decide" }, (acting - decided) / 1000);
    metrics.loopSeconds.observe({ phase: "act" }, (performance.now() - acting) / 1000);
  }

  /** Whether the round can go on: the objects are there and the password is known. */
  async #prepared(pods: readonly PodFact[], settings: GroupSettings): Promise<boolean> {
    if (pods.length > 0) return this.#objects.ensure(pods, settings, this.#facts);
    this.#emptied();
    return this.#objects.passwordKnown;
  }

  /**
   * Nothing is made for a group without pods, and it may be on its way out with its whole namespace: whoever comes next under this name is met anew.
   * The password is kept until then, for the connections to processes that have outlived their pods.
   */
  #emptied(): void {
    const { source } = this.#options;
    this.#objects.doubt();
    if (source.serviceExists(source.masterServiceName())) return;
    this.#memory = freshMemory(Date.now());
    this.#news.forgetEpoch();
  }

  #gather(
    members: readonly MemberFact[],
    settings: GroupSettings,
    outsiders: Pick<GroupFacts, "outsiders" | "outsiderSelector" | "outsidersUnread">,
    masterService: ServiceFact | undefined,
  ): GroupFacts {
    const { source, group } = this.#options;
    const at = Date.now();
    return {
      group,
      at,
      leading: source.leading(),
      settings,
      members,
      ...outsiders,
      masterService,
      endpoints: source.endpoints.pods(),
      proxiesFreeInMs: source.proxiesFreeInMs(),
      hint: this.#news.hint(at),
      epochHeard: this.#news.epochHeard,
    };
  }

  #record(timeline: Timeline): void {
    const { metrics } = this.#options;
    this.#timelines = mergeTimelines([timeline], this.#timelines);
    for (const { step, ms } of timeline.steps) metrics.failoverSeconds.observe({ step, cause: timeline.kind }, ms / 1000);
  }
}
