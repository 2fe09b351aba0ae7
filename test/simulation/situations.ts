/** Situations in which one law alone is at stake: what would have to come together by chance is drawn together. */
import type { Apart, Fault, Target } from "./plan.ts";
import type { Random } from "./world/random.ts";

type Situation = (random: Random) => Fault[];

const REPLICAS: readonly Target[] = ["replica", "other replica"];

const round = (ms: number): number => Math.round(ms);
const tenth = (ms: number): number => Math.round(ms * 10) / 10;

/** Somebody or something wants another master. */
function wanted(random: Random, at: number): Fault {
  return random.pick<Fault>([
    { at, kind: "ask for a handover" },
    { at, kind: "ask for a handover" },
    { at, kind: "delete pod", target: "master" },
    { at, kind: "drain", target: "master", ms: round(random.between(3000, 12_000)) },
  ]);
}

/** Only planned work, some of it at once: no write may be lost. */
const planned: Situation = (random) => {
  const faults: Fault[] = [];
  let at = round(random.between(0, 2000));
  for (let left = random.integer(1, 3); left > 0; left -= 1) {
    faults.push(
      random.pick<Fault>([
        wanted(random, at),
        { at, kind: "delete pod", target: random.pick<Target>(["master", "replica", "0", "1"]) },
        { at, kind: "rollout" },
      ]),
    );
    at += round(random.pick([random.between(0, 300), random.between(300, 8000)]));
  }
  return faults;
};

/** A master dies right after it took a write, and its replicas have not got equally far. */
const tornWrite: Situation = (random) => {
  const at = round(random.between(500, 3000));
  const lags = REPLICAS.flatMap((target): Fault[] =>
    random.chance(0.4) ? [{ at: 0, kind: "lag", target, ms: 20_000, delayMs: round(random.between(5, 600)) }] : [],
  );
  const kills = Array.from(
    { length: random.integer(1, 3) },
    (_, number): Fault => ({
      at: at + number * 6000,
      kind: "kill master at write",
      afterMs: tenth(random.between(0.1, 1.5)),
    }),
  );
  return [...lags, ...kills];
};

/** Something is wrong with those that a hand-over needs, at some moment of it. */
const tornHandover: Situation = (random) => {
  const at = round(random.between(500, 3000));
  const ms = round(random.between(300, 6000));
  // A hand-over waits for the proxies, a second and more, before it begins.
  const about = Math.max(0, at + round(random.pick([random.between(-300, 300), random.between(0, 3000)])));
  const target = random.pick(REPLICAS);
  const wrong: readonly Fault[] = [
    { at: about, kind: "freeze redis", target, ms },
    { at: about, kind: "freeze sentinel", target, ms },
    { at: about, kind: "lag", target, ms, delayMs: round(random.between(100, 2500)) },
    { at: about, kind: "kill redis", target: random.pick<Target>(["master", "replica"]) },
    { at: 0, kind: "freeze sentinels at", command: "IS-MASTER-DOWN-BY-ADDR", but: random.integer(0, 1), ms },
    { at: 0, kind: "freeze sentinels at", command: "PUBLISH", but: random.integer(0, 1), ms },
    { at: 0, kind: "kill handler at", command: random.pick(STEPS), afterMs: tenth(random.between(0, 3)), ms },
    { at: 0, kind: "freeze handler at", command: random.pick(STEPS), afterMs: tenth(random.between(0, 3)), ms },
    { at: 0, kind: "kill master at", command: random.pick(STEPS), afterMs: tenth(random.between(0, 3)) },
  ];
  const first = random.pick(wrong);
  const second = random.pick(wrong);
  const both = random.chance(0.3) ? [first, second] : [first];
  return [wanted(random, at), ...both].sort((one, other) => one.at - other.at);
};

const STEPS = ["CLIENT PAUSE", "IS-MASTER-DOWN-BY-ADDR", "REPLICAOF NO", "PUBLISH", "REPLICAOF", "CLIENT KILL"];

/** Who leads stands still, or is cut off from the API server, for longer than the Lease lasts, while something is to be done. */
const staleLeader: Situation = (random) => {
  const at = round(random.between(500, 2000));
  const ms = round(random.between(2500, 9000));
  const stale = random.pick<Fault>([
    { at, kind: "freeze handler", who: "leader", ms },
    { at, kind: "cut handlers off", who: "leader", ms, from: "api" },
    { at, kind: "cut handlers off", who: "leader", ms, from: "api" },
    { at: 0, kind: "freeze handler at", command: random.pick(STEPS), afterMs: tenth(random.between(0, 2)), ms },
  ]);
  const then = at + round(random.pick([random.between(0, 1000), random.between(2000, 5000), random.between(ms - 300, ms + 300)]));
  const work = random.pick<Fault>([
    { at: then, kind: "kill redis", target: "master" },
    { at: then, kind: "kill master at write", afterMs: 0.5 },
    wanted(random, then),
  ]);
  const again = random.chance(0.4) ? [wanted(random, then + round(random.between(200, 4000)))] : [];
  return [stale, work, ...again].sort((one, other) => one.at - other.at);
};

/** The network falls into two parts, with pods, handlers, the API server and clients on either side, while a master dies or is asked away. */
const split: Situation = (random) => {
  const at = round(random.between(500, 2500));
  const ms = round(random.pick([random.between(300, 4000), random.between(4000, 20_000)]));
  const side = random.pick<Target[]>([
    ["master"],
    ["master", "replica"],
    ["replica"],
    ["replica", "other replica"],
    ["master", "other replica"],
  ]);
  const apart = (["leader", "follower", "api", "client"] as const satisfies readonly Apart[]).filter(() => random.chance(0.3));
  const about = Math.max(0, at + round(random.pick([random.between(-200, 200), random.between(0, ms)])));
  const work = random.pick<Fault[]>([
    [],
    [{ at: about, kind: "kill redis", target: "master" }],
    [{ at: about, kind: "force delete pod", target: "master" }],
    [{ at: about, kind: "kill handler", who: "leader", ms: 3000 }],
    [wanted(random, about)],
  ]);
  return [{ at, kind: "split" as const, side, with: apart, ms }, ...work].sort((one, other) => one.at - other.at);
};

const SITUATIONS: readonly Situation[] = [planned, tornWrite, tornHandover, tornHandover, staleLeader, split];

export function drawSituation(random: Random): Fault[] {
  return random.pick(SITUATIONS)(random);
}
