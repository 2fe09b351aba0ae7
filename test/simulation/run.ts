/** One run from a plan to a verdict: the group comes up, faults strike, everything is mended, and the invariants are asked. */
import { LABEL } from "../../model/names.ts";
import { NAMESPACE } from "./cluster/controllers.ts";
import { Faults } from "./faults.ts";
import { SERVICE, SimGroup } from "./group.ts";
import { Laws } from "./laws.ts";
import { type Fault, nameOfFault, type Plan } from "./plan.ts";
import { connectThrough } from "./servers/ioredis.ts";
import { inhabit } from "./world/runtime.ts";
import { World } from "./world/world.ts";

export interface Verdict {
  readonly plan: Plan;
  /** "" when all held; else the invariant's short name */
  readonly broken: string;
  readonly why: string;
  readonly hash: string;
  readonly story: readonly string[];
  readonly events: number;
  readonly virtualMs: number;
  /** after the last fault until all was well, ms */
  readonly convergedMs: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly halted: string;
}

const BOOTSTRAP_MS = 60_000;
/** What waits for a command of a first start has so long after the other early faults, ms. */
const ARMED_MS = 10_000;
const CONVERGE_MS = 60_000;
/** All is well when it has been so for this long, ms. */
const CALM_MS = 2500;
const LOOK_MS = 250;
/** Two writable nodes, with nothing in the way of those who fence, ms. */
const FENCE_WINDOW_MS = 15_000;

/** Watches what must hold at every moment. */
class Watch {
  broken: string | undefined;
  #dualSince: number | undefined;
  #wellSince: number | undefined;
  readonly #group: SimGroup;
  readonly #faults: Faults;

  constructor(group: SimGroup, faults: Faults) {
    this.#group = group;
    this.#faults = faults;
    this.#look();
  }

  /** For how long all has been well, ms. */
  get wellMs(): number {
    return this.#wellSince === undefined ? 0 : this.#group.world.now - this.#wellSince;
  }

  /** What was well until now may have been struck since the last look. */
  doubt(): void {
    this.#wellSince = undefined;
  }

  #look(): void {
    const { world } = this.#group;
    this.#wellSince = this.#group.unwell() === undefined ? (this.#wellSince ?? world.now) : undefined;
    this.#inv1();
    world.schedule(LOOK_MS, () => this.#look());
  }

  #inv1(): void {
    const { world, api } = this.#group;
    const slice = api.get("endpointslices", NAMESPACE, `${SERVICE}-slice`);
    const addresses = ((slice?.endpoints as { addresses: string[] }[] | undefined) ?? []).length;
    if (addresses > 1) this.broken ??= `the master Service has ${addresses} endpoints`;
    const selector = api.get("services", NAMESPACE, SERVICE)?.spec?.selector as Record<string, string> | undefined;
    if (selector !== undefined && selector[LABEL.instance] === undefined)
      this.broken ??= "the master Service selects no single pod";
    const writable = this.#group.running.filter((server) => server.writable);
    if (writable.length < 2) {
      this.#dualSince = undefined;
      return;
    }
    this.#dualSince ??= world.now;
    const since = Math.max(this.#dualSince, this.#faults.lastAt);
    if (world.now - since > FENCE_WINDOW_MS)
      this.broken ??= `${writable.map(({ name }) => name).join(" and ")} have both been writable for ${Math.round(world.now - this.#dualSince)} ms`;
  }
}

/** Runs a plan. The same plan gives the same verdict, and the same hash, every time. */
export async function simulate(plan: Plan, tells = false): Promise<Verdict> {
  const world = new World(plan.seed, tells);
  inhabit(world);
  world.tell("PLAN", JSON.stringify(plan.shape));
  const group = new SimGroup(world, plan);
  const laws = new Laws(group, plan);
  connectThrough(group.network, (proc, command, to) => laws.sent(proc.name, command, to));
  const faults = new Faults(group);
  const watch = new Watch(group, faults);
  let convergedMs = 0;
  const bug = (): string | undefined => world.crashes[0] ?? group.handlers.flatMap(({ bugs }) => bugs)[0];
  const bad = (): boolean => watch.broken !== undefined || laws.breach !== undefined || bug() !== undefined;
  const verdict = (broken: string, why: string, lost = 0): Verdict => {
    if (broken !== "") world.tell("VERDICT", `${broken}: ${why}`);
    const acknowledged = group.writers.reduce((sum, writer) => sum + writer.acknowledged.size, 0);
    const halted = group.halted ?? "";
    return {
      plan,
      broken,
      why,
      hash: world.hash,
      story: world.story,
      events: world.events,
      virtualMs: world.now,
      convergedMs,
      acknowledged,
      lost,
      halted,
    };
  };
  const urgent = (): Verdict | undefined => {
    const mistake = bug();
    if (mistake !== undefined) return verdict("BUG", mistake);
    if (laws.breach !== undefined) return verdict(laws.breach.law, laws.breach.why);
    return watch.broken === undefined ? undefined : verdict("INV1", watch.broken);
  };

  /** Faults that count from now; returns when the last of them ends. */
  const schedule = (coming: readonly Fault[]): number => {
    const began = world.now;
    for (const fault of coming) world.schedule(fault.at, () => faults.strike(fault));
    return Math.max(began, ...coming.map((fault) => began + fault.at + ("ms" in fault ? fault.ms : 0)));
  };

  const { early = [] } = plan;
  const settled = early.length === 0 ? 0 : schedule(early) + ARMED_MS;
  if (settled > 0) world.schedule(settled, () => faults.mend());
  await world.run(settled + BOOTSTRAP_MS, () => bad() || (world.now > settled && watch.wellMs >= 1000));
  const atStart = urgent();
  if (atStart !== undefined) return atStart;
  if (watch.wellMs === 0) return verdict("BOOTSTRAP", group.unwell() ?? "");
  world.tell("GROUP", "is well; the faults begin");
  group.ledger.onPromotion = (server, by, deafMs) => laws.promoted(server, by, deafMs);

  await world.run(schedule(plan.faults) + 200, bad);
  const during = urgent();
  if (during !== undefined) return during;
  faults.mend();
  world.tell("FAULTS", `are over (${plan.faults.map(nameOfFault).join("; ") || "none"})`);

  const mended = world.now;
  watch.doubt();
  const isHalted = (): boolean => group.halted !== undefined;
  await world.run(mended + CONVERGE_MS, () => bad() || watch.wellMs >= CALM_MS);
  convergedMs = world.now - watch.wellMs - mended;
  const late = urgent();
  if (late !== undefined) return late;
  if (watch.wellMs === 0) {
    if (isHalted()) return verdict("", "halted");
    return verdict("INV3", `not well ${CONVERGE_MS / 1000} s after the last fault: ${group.unwell()}`);
  }
  const master = group.running.find(({ isMaster }) => isMaster);
  if (master === undefined) return verdict("INV3", "no master");
  const all = new Map(group.writers.flatMap(({ acknowledged }) => [...acknowledged]));
  const { lost, wrong } = group.ledger.judge(all, master.head);
  world.tell("GROUP", `is well again; ${all.size} writes acknowledged, ${lost} lost`);
  return wrong.length > 0
    ? verdict("INV2", `${wrong.length} of ${lost} lost writes need not have been: ${wrong[0]}`, lost)
    : verdict("", "", lost);
}
