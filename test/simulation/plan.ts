/** What a run is made of: the shape of the group, and the faults that strike it. Drawn from a seed, kept in a file, made smaller when it fails. */
import { drawSituation } from "./situations.ts";
import { Random } from "./world/random.ts";

/** Whom a fault strikes; looked up when it does. */
export type Target = "master" | "replica" | "other replica" | "0" | "1" | "2";
export type Who = "leader" | "follower";
/** What a partition may have on the side of some pods. */
export type Apart = Who | "api" | "client";

export type Fault = { readonly at: number } & (
  | { readonly kind: "kill redis"; readonly target: Target }
  | { readonly kind: "kill sentinel"; readonly target: Target }
  | { readonly kind: "freeze redis"; readonly target: Target; readonly ms: number }
  | { readonly kind: "freeze sentinel"; readonly target: Target; readonly ms: number }
  | { readonly kind: "delete pod"; readonly target: Target }
  | { readonly kind: "force delete pod"; readonly target: Target }
  | { readonly kind: "power off"; readonly target: Target; readonly ms: number }
  | {
      readonly kind: "cut off";
      readonly target: Target;
      readonly ms: number;
      readonly way: "both" | "in" | "out";
      readonly from: "all" | "pods" | "handlers";
    }
  | { readonly kind: "slow network"; readonly target: Target; readonly ms: number; readonly delayMs: number }
  | { readonly kind: "loss"; readonly ms: number; readonly part: number }
  | { readonly kind: "cut connections"; readonly target: Target }
  | { readonly kind: "kill handler"; readonly who: Who; readonly ms: number }
  | { readonly kind: "freeze handler"; readonly who: Who; readonly ms: number }
  | { readonly kind: "kill handler at"; readonly command: string; readonly afterMs: number; readonly ms: number }
  | { readonly kind: "freeze handler at"; readonly command: string; readonly afterMs: number; readonly ms: number }
  | { readonly kind: "kill master at"; readonly command: string; readonly afterMs: number }
  | { readonly kind: "cut handlers off"; readonly who: Who; readonly ms: number; readonly from: "api" | "pods" | "all" }
  | { readonly kind: "api"; readonly state: "refuses" | "hangs"; readonly ms: number }
  | { readonly kind: "slow api"; readonly delayMs: number; readonly ms: number }
  | { readonly kind: "stale watches"; readonly delayMs: number; readonly ms: number }
  | { readonly kind: "conflicts"; readonly ms: number }
  | { readonly kind: "clock jump"; readonly target: Target; readonly byMs: number }
  | { readonly kind: "handler clock jump"; readonly who: Who; readonly byMs: number }
  | { readonly kind: "ask for a handover" }
  | { readonly kind: "drain"; readonly target: Target; readonly ms: number }
  | { readonly kind: "rollout" }
  | { readonly kind: "kill all redis" }
  | { readonly kind: "delete sentinel"; readonly number: number; readonly force: boolean }
  | { readonly kind: "kill master at write"; readonly afterMs: number }
  | { readonly kind: "lag"; readonly target: Target; readonly ms: number; readonly delayMs: number }
  | { readonly kind: "freeze sentinels at"; readonly command: string; readonly but: number; readonly ms: number }
  | {
      readonly kind: "split";
      /** the pods of one side; a side may have handlers, the API server and a client as well */
      readonly side: readonly Target[];
      readonly with: readonly Apart[];
      readonly ms: number;
    }
  | { readonly kind: "power off all"; readonly ms: number }
);

export interface Shape {
  readonly replicas: number;
  readonly stateful: boolean;
  readonly persistence: "none" | "rdb" | "aof";
  readonly volume: boolean;
  readonly downAfterMs: number;
  readonly failoverTimeoutMs: number;
  readonly handlers: number;
  /** the handlers share their nodes with pods of the group */
  readonly shared: boolean;
  /** three Deployments, with sentinels in one of their own; absent in plans from before there was this */
  readonly apart?: boolean;
  /** an address that a pod leaves is given to the next new pod; absent as above */
  readonly reuse?: boolean;
}

export interface Plan {
  readonly seed: number;
  readonly shape: Shape;
  readonly faults: readonly Fault[];
  /** what strikes while the group comes up for the first time; its times count from the start of the run. Absent: nothing */
  readonly early?: readonly Fault[];
}

/** Commands at which a handler may be struck: one of each step of a promotion or handover. */
const COMMANDS = [
  "IS-MASTER-DOWN-BY-ADDR",
  "REPLICAOF NO",
  "REPLICAOF",
  "PUBLISH",
  "CLIENT PAUSE",
  "CLIENT KILL",
  "INFO replication",
  "MONITOR",
  "CONFIG SET",
];
const TARGETS: readonly Target[] = ["master", "master", "master", "replica", "other replica", "0", "1", "2"];

/** When the first fault may strike after the group was seen well, and how much time they have, ms. */
const WINDOW_MS = 20_000;

/** Work that a person or the cluster does: nothing may be lost by it, whoever ends. */
const PLANNED: ReadonlySet<Fault["kind"]> = new Set<Fault["kind"]>([
  "delete pod",
  "delete sentinel",
  "ask for a handover",
  "drain",
  "rollout",
]);
export const isPlanned = ({ kind }: Fault): boolean => PLANNED.has(kind);

/** Commands of a first start: the first master, its followers, the sentinels. */
const FIRST_COMMANDS = ["REPLICAOF NO", "REPLICAOF", "MONITOR", "SENTINEL SET", "CONFIG SET"];

/** When a new group may be struck before it was ever whole, ms. */
const EARLY_MS = 8000;

/** Draws a run: of every five seeds three draw any faults, two a situation in which one law alone is at stake. */
export function drawPlan(seed: number): Plan {
  const early = drawEarly(new Random(seed, 9));
  return early.length === 0 ? drawLater(seed) : { ...drawLater(seed), early };
}

/** One run in seven is struck while the group comes up. */
function drawEarly(random: Random): Fault[] {
  if (!random.chance(1 / 7)) return [];
  return Array.from({ length: random.integer(1, 2) }, () => {
    const at = Math.round(random.between(0, EARLY_MS));
    const ms = span(random);
    const who = random.pick(["leader", "leader", "follower"] as const);
    const target = random.pick(["0", "1", "2"] as const);
    const command = random.pick(FIRST_COMMANDS);
    const afterMs = Math.round(random.next() * 40) / 10;
    return random.pick<Fault>([
      { at, kind: "kill handler", who, ms },
      { at, kind: "freeze handler", who, ms },
      { at: 0, kind: "kill handler at", command, afterMs, ms },
      { at: 0, kind: "kill handler at", command, afterMs, ms },
      { at: 0, kind: "freeze handler at", command, afterMs, ms },
      { at, kind: "kill redis", target },
      { at, kind: "kill sentinel", target },
      { at, kind: "delete pod", target },
      { at, kind: "api", state: "refuses", ms },
      { at, kind: "conflicts", ms },
      { at, kind: "stale watches", delayMs: afterMs * 500, ms },
      { at, kind: "cut handlers off", who, ms, from: "pods" },
    ]);
  });
}

function drawLater(seed: number): Plan {
  const random = new Random(seed, 7);
  const beside = drawShape(random);
  const faults = seed % 5 === 0 || seed % 5 === 3 ? drawSituation(random) : drawAny(random);
  const more = new Random(seed, 8);
  if (seed % 5 === 1 || seed % 5 === 4) return { seed, shape: beside, faults };
  const shape: Shape = { ...beside, apart: seed % 5 !== 0 && more.chance(0.5), reuse: more.chance(0.3) };
  const lost = shape.apart === true ? drawSentinelLoss(more) : [];
  return { seed, shape, faults: [...faults, ...lost].sort((a, b) => a.at - b.at) };
}

/** What only sentinels in pods of their own can meet. */
function drawSentinelLoss(random: Random): Fault[] {
  if (random.chance(0.5)) return [];
  const first = Math.round(random.between(0, 8000));
  return Array.from({ length: random.integer(1, 3) }, (_, number) => ({
    at: first + number * Math.round(random.between(0, 6000)),
    kind: "delete sentinel" as const,
    number: random.integer(0, 2),
    force: random.chance(0.4),
  }));
}

function drawShape(random: Random): Shape {
  const replicas = random.pick([3, 3, 3, 3, 2, 5]);
  const stateful = random.chance(0.4);
  const persistence = random.pick(["none", "none", "rdb", "aof"] as const);
  return {
    replicas,
    stateful,
    persistence,
    volume: persistence !== "none" && random.chance(stateful ? 0.9 : 0.4),
    downAfterMs: random.pick([2000, 3000, 5000]),
    failoverTimeoutMs: random.pick([5000, 10_000]),
    handlers: random.chance(0.85) ? 2 : 1,
    shared: random.chance(0.4),
  };
}

function drawAny(random: Random): Fault[] {
  const count = random.pick([1, 1, 2, 2, 3, 4, 5]);
  const faults: Fault[] = [];
  let at = random.between(0, 2000);
  for (let number = 0; number < count; number += 1) {
    faults.push(drawFault(random, Math.round(at)));
    at += random.chance(0.4) ? random.between(0, 300) : random.between(0, WINDOW_MS / count);
  }
  return faults;
}

/** Short, middle or long, ms. */
const span = (random: Random): number =>
  Math.round(
    random.pick([() => random.between(50, 1000), () => random.between(500, 6000), () => random.between(4000, 16_000)])(),
  );

function drawFault(random: Random, at: number): Fault {
  const target = random.pick(TARGETS);
  const ms = span(random);
  const who = random.pick(["leader", "leader", "follower"] as const);
  const command = random.pick(COMMANDS);
  const afterMs = Math.round(random.next() * 40) / 10;
  const draws: readonly (() => Fault)[] = [
    () => ({ at, kind: "kill redis", target }),
    () => ({ at, kind: "kill redis", target: "master" }),
    () => ({ at, kind: "kill redis", target: "master" }),
    () => ({ at, kind: "kill sentinel", target }),
    () => ({ at, kind: "freeze redis", target, ms }),
    () => ({ at, kind: "freeze sentinel", target, ms }),
    () => ({ at, kind: "delete pod", target }),
    () => ({ at, kind: "delete pod", target: "master" }),
    () => ({ at, kind: "force delete pod", target }),
    () => ({ at, kind: "power off", target, ms }),
    () => ({
      at,
      kind: "cut off",
      target,
      ms,
      way: random.pick(["both", "both", "in", "out"] as const),
      from: random.pick(["all", "all", "pods", "handlers"] as const),
    }),
    () => ({ at, kind: "cut off", target, ms, way: "both", from: "all" }),
    () => ({ at, kind: "slow network", target, ms, delayMs: Math.round(random.between(20, 400)) }),
    () => ({ at, kind: "loss", ms, part: Math.round(random.between(1, 30)) / 100 }),
    () => ({ at, kind: "cut connections", target }),
    () => ({ at, kind: "kill handler", who, ms }),
    () => ({ at, kind: "freeze handler", who, ms }),
    () => ({ at, kind: "kill handler at", command, afterMs, ms }),
    () => ({ at, kind: "kill handler at", command, afterMs, ms }),
    () => ({ at, kind: "freeze handler at", command, afterMs, ms }),
    () => ({ at, kind: "kill master at", command, afterMs }),
    () => ({ at, kind: "cut handlers off", who, ms, from: random.pick(["api", "pods", "all"] as const) }),
    () => ({ at, kind: "api", state: random.pick(["refuses", "hangs"] as const), ms }),
    () => ({ at, kind: "slow api", delayMs: Math.round(random.between(50, 1500)), ms }),
    () => ({ at, kind: "stale watches", delayMs: Math.round(random.between(100, 4000)), ms }),
    () => ({ at, kind: "conflicts", ms }),
    () => ({ at, kind: "clock jump", target, byMs: Math.round(random.between(-20_000, 20_000)) }),
    () => ({ at, kind: "handler clock jump", who, byMs: Math.round(random.between(-20_000, 20_000)) }),
    () => ({ at, kind: "ask for a handover" }),
    () => ({ at, kind: "ask for a handover" }),
    () => ({ at, kind: "drain", target, ms }),
    () => ({ at, kind: "rollout" }),
    () => ({ at, kind: "kill all redis" }),
    () => ({ at, kind: "power off all", ms }),
  ];
  return random.pick(draws)();
}

/** `kill redis master` */
export function nameOfFault(fault: Fault): string {
  const { at: _, kind, ...rest } = fault;
  return [kind, ...Object.entries(rest).map(([key, value]) => `${key}=${String(value)}`)].join(" ");
}
