/**
 * Arbitrary facts of a group among strangers: x and y were pods of it once, and whoever has their addresses now belongs to somebody else. Sentinels remember them, a
 * redis may follow them, the record may name them, and a process at a member's former address may be theirs.
 */
import fc from "fast-check";
import { freshMemory } from "../../handlers/policies/decide.ts";
import type { GroupFacts } from "../../model/facts.ts";
import type { Memory } from "../../model/plan.ts";
import { expand, ipOf, START } from "./expand.ts";

const STRANGERS = ["x", "y"];
const REMEMBERED = STRANGERS.map(ipOf).join(",");

/** Mostly `usual`, so that most of the group is well and there is something to do. */
const mostly = (usual: string, ...others: string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 3, arbitrary: fc.constantFrom(...others) });

/** A process of a stranger, at an address that the API server still gives to a member. */
const THEIRS = ["master 1000 of-pod=uid-x", "replica y 900 of-pod=uid-x", "master 800 no-report", "replica x 900 no-report"];
const REPLICAS = [
  "replica x 1000",
  "replica y 500 down=3s",
  "replica x 1000 syncing",
  "replica nobody 0 keys=0 down=always",
  "replica a 900 down=0s",
  "replica a 900 keys=0 down=0s",
  "replica a 1200 keys=0 down=0s replid=history-2",
  "replica a 1000 keys=0",
  "replica p 500",
  "master 900",
  "refused",
  "timeout known",
  "denied",
  ...THEIRS,
];
const MASTERS = [
  "refused",
  "timeout known",
  "replica nobody 0 keys=0",
  "replica x 1000",
  "replica p 500",
  "master 1000 cannot-save",
  ...THEIRS,
];

const sentinel = fc
  .tuple(
    mostly("a 7", "x 6", "x 7", "x 9", "y 8", "b 8", "idle", "timeout", "a 7 tilt", "a 7 electing", "a 7 s_down"),
    fc.constantFrom("", `ghosts=${REMEMBERED}`, "knows=b"),
    fc.constantFrom("", `ghost-replicas=${REMEMBERED}`),
  )
  .map((words) => words.join(" "));
const pod = mostly(
  "",
  "terminating",
  "ended",
  "orphan",
  "node-going",
  `ip=${ipOf("x")}`,
  "no-ip",
  "volume=data-x",
  "role=master",
);
const lines = (of: (name: string) => fc.Arbitrary<string>): fc.Arbitrary<Record<"a" | "b" | "c", string>> =>
  fc.record({ a: of("a"), b: of("b"), c: of("c") });
const request = fc.oneof({ weight: 5, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom("b", "x", "any") });

export const amongStrangers: fc.Arbitrary<GroupFacts> = fc
  .record({
    redis: lines((name) => (name === "a" ? mostly("master 1000", ...MASTERS) : mostly("replica a 1000", ...REPLICAS))),
    sentinels: lines(() => sentinel),
    pods: lines(() => pod),
    service: fc.record({
      selects: mostly("a", "b", "x"),
      record: mostly("a epoch 7", "x epoch 7", "x epoch 8 volume=data-x", "b epoch 6", "a epoch 0 claimed", "x epoch 0 claimed"),
      history: fc.constantFrom(["x epoch 5"], ["b epoch 5"]),
      handover: request,
      promote: request,
    }),
    leading: mostly("yes", "no").map((word) => word === "yes"),
    settings: fc.record({
      promotion: fc.constantFrom<("direct" | "sentinel")[]>("direct", "sentinel"),
      recoveryWaitMs: fc.constantFrom(0, 120_000),
    }),
    outside: fc.constantFrom({}, {}, {}, { p: "master 500 no-report" }, { p: "replica a 1000 no-report" }),
    hint: mostly("", "x", "b").map((name) => (name === "" ? null : name)),
    recorded: mostly("yes", "no"),
  })
  .map(({ service, recorded, ...situation }) =>
    expand({ ...situation, service: recorded === "yes" ? service : { ...service, record: null } }),
  );

/** What is remembered may be a stranger's by now as well. */
export const memoryOfStrangers: fc.Arbitrary<Memory> = fc
  .record({
    master: mostly("a", "x", "b"),
    previous: fc.constantFrom(undefined, "b", "x"),
    lostAt: fc.constantFrom(undefined, START - 10_000, START - 200_000),
    leadingSince: fc.constantFrom(undefined, START - 1000),
  })
  .map(({ master, previous, ...rest }) => ({
    ...freshMemory(START - 300_000),
    ...rest,
    master: { uid: `uid-${master}`, address: at(master), epoch: 7, replid: "history-1", seenAt: START - 10_000 },
    previous: previous === undefined ? undefined : at(previous),
  }));

const at = (name: string): { ip: string; port: number } => ({ ip: ipOf(name), port: 6379 });
