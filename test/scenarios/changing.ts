/** Arbitrary facts of groups whose master is lost or about to go: where a successor is chosen among replicas that differ in what they have. */
import fc from "fast-check";
import { freshMemory } from "../../handlers/policies/decide.ts";
import type { GroupFacts } from "../../model/facts.ts";
import type { Memory } from "../../model/plan.ts";
import { expand, ipOf, START } from "./expand.ts";

const word = (...words: string[]): fc.Arbitrary<string> => fc.constantFrom(...words);

const replica = fc
  .tuple(
    word("0", "900", "1000", "1000", "1200"),
    word("", "keys=0"),
    word("", "", "replid=history-2", "replid=history-2 replid2=history-1"),
    word("", "", "", "syncing"),
  )
  .map((words) => words.join(" "));

export const changing: fc.Arbitrary<GroupFacts> = fc
  .record({
    master: word(
      "refused",
      "refused",
      "replica nobody 0 keys=0",
      "master 1000",
      "master 1000",
      "master 1000 keys=0",
      "timeout known",
    ),
    replicas: fc.record({ b: replica, c: replica, d: replica }),
    pods: fc.record({ b: word("", "", "terminating", "priority=0", "role=master"), c: word("", "", "node-going", "revision=2") }),
    historyKnown: fc.boolean(),
    promotion: fc.constantFrom<("direct" | "sentinel")[]>("direct", "direct", "sentinel"),
  })
  .map(({ master, replicas, pods, historyKnown, promotion }) => {
    const link = master.startsWith("master") ? "" : "down=0s";
    const following = Object.entries(replicas).map(([name, words]) => [name, `replica a ${words} ${link}`]);
    return expand({
      redis: { a: master, ...Object.fromEntries(following) },
      pods: { a: "terminating", ...pods },
      sentinels: { a: "a 7", b: "a 7", c: "a 7" },
      service: { selects: "a", record: `a epoch 7 ${historyKnown ? "" : "replid="}` },
      settings: { promotion },
    });
  });

/** A handler that has known the group for long, or one that has just been started. */
export const memoryOfChange: fc.Arbitrary<Memory> = fc.boolean().map((long) => {
  const address = { ip: ipOf("a"), port: 6379 };
  const master = { uid: "uid-a", address, epoch: 7, replid: "history-1", seenAt: START };
  return { ...freshMemory(START - 300_000), leadingSince: START - 300_000, ...(long ? { master } : {}) };
});
