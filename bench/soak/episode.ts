/** A stretch of the soak: some faults one after the other, then rest, until all groups are whole; then every acknowledged write is looked up. */
import { setTimeout as sleep } from "node:timers/promises";
import { LABEL } from "../../model/names.ts";
import { messageOf, say, waitUntil } from "../../test/e2e/lib/wait.ts";
import type { Random } from "../../test/simulation/world/random.ts";
import { EXPECTED } from "../failover/ours.ts";
import { Witness } from "../matrix/witness.ts";
import type { Scene, SoakFault } from "./fault.ts";
import { SOAK_FAULTS } from "./faults.ts";
import type { SoakGroup } from "./groups.ts";
import { handlerPods } from "./handlers.ts";
import { type GroupVerdict, judgeGroup, type Struck } from "./judge.ts";

export interface Episode {
  readonly number: number;
  readonly startedAt: string;
  readonly struck: readonly Struck[];
  /** faults that could not be made, and why */
  readonly missed: readonly string[];
  readonly groups: readonly GroupVerdict[];
}

export interface EpisodeOptions {
  readonly number: number;
  readonly groups: readonly SoakGroup[];
  readonly nodes: readonly string[];
  readonly cluster: string;
  readonly random: Random;
  readonly handlersMayDie: boolean;
}

const FAULTS = { least: 4, most: 7 };
const BETWEEN_MS = { least: 5000, most: 20_000 };
const WRITERS = { writers: 4, pauseMs: 20 };
const CONVERGED_MS = 60_000;
/** A group that has not converged is watched for so long more: then it is known whether it ever does. */
const LATER_MS = 90_000;
const PROBE_MS = 200;
/** A copy that was ended is there again by then, or is not counted on, ms. */
const DEADLY_APART_MS = 8000;

export async function runEpisode(options: EpisodeOptions): Promise<Episode> {
  const { groups, random, number } = options;
  const startedAt = new Date().toISOString();
  const witnesses = groups.map((group) => new Witness(group, PROBE_MS));
  const rates = await Promise.all(groups.map(begin));
  const strikes = new Strikes(options);
  for (let left = random.integer(FAULTS.least, FAULTS.most); left > 0; left -= 1) {
    await strikes.one();
    await sleep(random.between(BETWEEN_MS.least, BETWEEN_MS.most));
  }
  await strikes.over();
  const whole = await Promise.all(groups.map(converged));
  const seen = await Promise.all(witnesses.map(async (witness) => await witness.stop()));
  const verdicts: GroupVerdict[] = [];
  for (const [at, group] of groups.entries()) {
    const window = await group.group.client.stopWriters();
    const { acked, missing } = await group.group.client.verify(await group.group.throughService());
    const [convergedMs, problem] = whole[at] ?? [undefined, "was not looked at"];
    verdicts.push(
      judgeGroup({
        kind: group.kind.name,
        acked,
        lost: missing,
        rate: rates[at] ?? 0,
        gapMs: window.gapMs,
        errors: window.errors,
        addresses: seen[at]?.addresses ?? 0,
        writable: seen[at]?.writable ?? {},
        convergedMs,
        missing: problem,
        struck: strikes.struck.filter(({ group: of }) => of === "" || of === group.kind.name),
      }),
    );
  }
  return { number, startedAt, struck: strikes.struck, missed: strikes.missed, groups: verdicts };
}

/** Empties a group and lets clients write; returns how many writes per second are acknowledged. */
async function begin(group: SoakGroup): Promise<number> {
  const { client } = group.group;
  const where = await group.group.throughService();
  await client.command(where, "FLUSHALL", "ASYNC");
  await client.startWriters(where, WRITERS);
  await client.calm(60_000);
  const { acked, ms } = await client.window(true);
  return (acked / ms) * 1000;
}

async function converged(group: SoakGroup): Promise<[number | undefined, string | undefined]> {
  const start = performance.now();
  const whole = async (): Promise<void> => {
    await group.group.whole(EXPECTED, { lists: false });
    const { sinceAckMs } = await group.group.client.window();
    if (sinceAckMs > 1000) throw new Error("no write is acknowledged");
  };
  try {
    await waitUntil(`${group.kind.name}: a whole group`, CONVERGED_MS, whole);
    return [Math.round(performance.now() - start), undefined];
  } catch (error) {
    const problem = messageOf(error);
    await waitUntil(`${group.kind.name}: a whole group, too late`, LATER_MS, whole).catch(() => undefined);
    return [undefined, problem];
  }
}

/** Chooses and makes faults, side by side where they may be. */
class Strikes {
  readonly struck: Struck[] = [];
  readonly missed: string[] = [];
  readonly #options: EpisodeOptions;
  readonly #running = new Map<Promise<void>, SoakFault["scope"]>();
  readonly #endedAt = new Map<SoakGroup, number>();

  constructor(options: EpisodeOptions) {
    this.#options = options;
  }

  async over(): Promise<void> {
    await Promise.all(this.#running.keys());
  }

  async one(): Promise<void> {
    const { random, groups } = this.#options;
    const group = random.pick(groups);
    const drawn = this.#draw();
    const scene = await this.#scene(group).catch((error: unknown) => messageOf(error));
    if (typeof scene === "string") {
      this.missed.push(`${drawn.what} (${group.kind.name}): ${scene}`);
      return;
    }
    const fault = drawn.deadly && !(await this.#mayEnd(drawn, scene)) ? HANDOVER : drawn;
    if (fault.deadly) for (const one of fault.scope === "group" ? [group] : groups) this.#endedAt.set(one, Date.now());
    const of = fault.scope === "group" ? group.kind.name : "";
    this.struck.push({ at: Date.now(), what: fault.what, group: of, cost: fault.cost });
    say(`fault: ${fault.what}${of === "" ? "" : ` (${of})`}`);
    const work = fault
      .act(scene)
      .catch((error: unknown) => void this.missed.push(`${fault.what} (${of}): ${messageOf(error)}`))
      .finally(() => this.#running.delete(work));
    this.#running.set(work, fault.scope);
  }

  /** One that may begin now: there is one network, and one API server. */
  #draw(): SoakFault {
    const running = new Set(this.#running.values());
    const able = SOAK_FAULTS.filter(({ scope }) => scope === "group" || !running.has(scope));
    return this.#options.random.pick(able.flatMap((fault) => Array.from({ length: fault.weight }, () => fault)));
  }

  async #scene(group: SoakGroup): Promise<Scene> {
    const { nodes, cluster, random, handlersMayDie } = this.#options;
    const master = await group.group.master();
    const all = (await group.group.pods()).filter(({ metadata }) => metadata?.labels?.[LABEL.redis] === "true");
    const others = all.filter(({ metadata, status }) => metadata?.name !== master.name && status?.podIP !== undefined);
    if (others.length < EXPECTED.replicas) throw new Error(`${others.length} other pods with an address`);
    const busy = new Set((await handlerPods(group.bed)).map(({ spec }) => spec?.nodeName));
    const nodesWithoutHandlers = nodes.filter((node) => !busy.has(node));
    return { cluster, random, group, pods: [master.pod, ...others], nodes, nodesWithoutHandlers, handlersMayDie };
  }

  /** Another copy is in sync, in every group that is struck, and nothing keeps it from taking over. */
  async #mayEnd({ scope }: SoakFault, { group }: Scene): Promise<boolean> {
    if ([...this.#running.values()].includes("network")) return false;
    const all = scope === "group" ? [group] : this.#options.groups;
    for (const one of all) {
      if (Date.now() - (this.#endedAt.get(one) ?? 0) < DEADLY_APART_MS) return false;
      const seen = await one.group.redises().catch(() => []);
      const master = seen.find(({ role }) => role === "master");
      const inSync = seen.filter(({ role, master: of, linkUp }) => role === "slave" && linkUp && of === master?.ip).length;
      if (inSync < EXPECTED.replicas) return false;
    }
    return true;
  }
}

/** What is done where a copy must not be ended. */
const HANDOVER = ((): SoakFault => {
  const found = SOAK_FAULTS.find(({ what }) => what === "a hand-over on request");
  if (found === undefined) throw new Error("the soak has no hand-over");
  return found;
})();
