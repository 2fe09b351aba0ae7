import fc from "fast-check";
import { expect, test } from "vitest";
import { editDistance, nearestName } from "../../../model/nearest.ts";

test.each([
  ["", "", 0],
  ["", "abc", 3],
  ["quorum", "quorum", 0],
  ["quorm", "quorum", 1],
  ["kitten", "sitting", 3],
])("%j to %j is %i", (left, right, distance) => {
  expect(editDistance(left, right)).toBe(distance);
  expect(editDistance(right, left)).toBe(distance);
});

test("the nearest is found, and nothing far away is offered", () => {
  const names = ["cluster", "role", "quorum"];
  expect(nearestName("clutser", names)).toBe("cluster");
  expect(nearestName("rolle", names)).toBe("role");
  expect(nearestName("something", names)).toBeUndefined();
});

test("a distance is never longer than the longer word", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (left, right) => {
      expect(editDistance(left, right)).toBeLessThanOrEqual(Math.max(left.length, right.length));
    }),
  );
});
