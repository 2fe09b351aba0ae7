import fc from "fast-check";
import { expect, test } from "vitest";
import { formatDuration, LONGEST_MS, parseDuration } from "../../../model/duration.ts";

test.each([
  ["0", 0],
  ["2500ms", 2_500],
  ["5s", 5_000],
  ["2m", 120_000],
  ["24h", 86_400_000],
  ["750", 750],
])("%s", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["", "s", "-1s", "1.5s", "5 s", "5S", "1m30s", "25h", "1e3", "٣s", "5s\n", "99999999999"])(
  "%j is no duration",
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

test("a bare number may be seconds", () => {
  expect(parseDuration("10", "s")).toBe(10_000);
});

test("what is written is read back", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: LONGEST_MS }), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  );
});
