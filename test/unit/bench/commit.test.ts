import { expect, test } from "vitest";
import { commit, withCommit } from "../../../test/e2e/lib/commit.ts";

test("the version that measures is named, and every one that added runs", () => {
  expect(commit()).toMatch(/^([0-9a-f]{7,}(-dirty)?|unknown)$/);
  const first = withCommit({ nodes: 4 }, "abc1234");
  expect(first).toEqual({ nodes: 4, commit: "abc1234" });
  expect(withCommit(first, "abc1234")).toEqual(first);
  expect(withCommit(first, "def5678-dirty").commit).toBe("abc1234 and def5678-dirty");
});
