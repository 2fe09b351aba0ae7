/** A group in which some pods speak TLS and others do not. */
import { expect, test } from "vitest";
import { decide, freshMemory } from "../../../handlers/policies/decide.ts";
import type { GroupFacts } from "../../../model/facts.ts";
import { REASON } from "../../../model/reasons.ts";
import { expand } from "../../scenarios/expand.ts";

const WHOLE = {
  redis: { a: "master 1000", b: "replica a 1000", c: "replica a 1000" },
  sentinels: { a: "a 7", b: "a 7", c: "a 7" },
  service: { selects: "a", record: "a epoch 7" },
};

/** The group with TLS in the pods that are named. */
function facts(withTls: readonly string[]): GroupFacts {
  const plain = expand(WHOLE);
  const members = plain.members.map((member) => {
    const { pod } = member;
    return withTls.includes(pod.name)
      ? { ...member, pod: { ...pod, settings: { ...pod.settings, tlsSecret: "cache-tls" } } }
      : member;
  });
  // The newest pod's word is the group's.
  return { ...plain, settings: members.at(-1)?.pod.settings ?? plain.settings, members };
}

const told = (withTls: readonly string[]): readonly string[] => {
  const observed = facts(withTls);
  return decide(observed, freshMemory(observed.at)).notices.flatMap(({ reason, message }) =>
    reason === REASON.SettingsDiffer ? message : [],
  );
};

test("told, with the pods of either kind", () => {
  expect(told(["c"])).toEqual([expect.stringContaining("c speak TLS and a, b do not: they cannot follow or watch each other")]);
});

test("nothing where all speak the same", () => {
  expect(told([])).toEqual([]);
  expect(told(["a", "b", "c"])).toEqual([]);
});

test("what an adoption from a plain server has changed is set right once there is a master", () => {
  const observed = facts(["a", "b", "c"]);
  const members = observed.members.map((member) =>
    member.redis?.state === "up"
      ? {
          ...member,
          redis: {
            ...member.redis,
            parameters: { ...member.redis.parameters, "tls-replication": member.pod.name === "b" ? "no" : "yes" },
          },
        }
      : member,
  );
  const { actions } = decide({ ...observed, members }, freshMemory(observed.at));
  const configured = actions.flatMap((action) =>
    action.kind === "configure-redis" ? [[action.member.pod.name, action.parameters]] : [],
  );
  expect(configured).toEqual([["b", { "tls-replication": "yes" }]]);
});
