import { expect, test } from "vitest";
import { newIdentity, podOfIdentity, succeedsIn } from "../../../cli/identity.ts";

test("an identity tells its pod, and is another one in each process", () => {
  const identity = newIdentity("redis-ha-6f7-abc");
  expect(podOfIdentity(identity)).toBe("redis-ha-6f7-abc");
  expect(newIdentity("redis-ha-6f7-abc")).not.toBe(identity);
});

test.each([
  ["an earlier process of this pod has ended", "redis-ha-1", "redis-ha-1_0a1b2c3d", true],
  ["another pod has not", "redis-ha-1", "redis-ha-2_0a1b2c3d", false],
  ["nor has a pod whose name begins alike", "redis-ha-1", "redis-ha-11_0a1b2c3d", false],
  ["outside of a pod nobody can know", undefined, "laptop_0a1b2c3d", false],
])("%s", (_, pod, holder, expected) => {
  expect(succeedsIn(pod)(holder)).toBe(expected);
});
