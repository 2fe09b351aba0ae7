import { describe, expect, test } from "vitest";
import { absolute, ago, bytes, clock, duration, grouped, plural, step } from "../../../page/model/text.ts";
import { spaced } from "../../../page/model/words.ts";

test.each([
  [0, "0 ms"],
  [850, "850 ms"],
  [1000, "1 s"],
  [119_999, "119 s"],
  [120_000, "2 min"],
  [3_600_000, "1 h"],
  [8_040_000, "2 h 14 min"],
  [100 * 3_600_000, "4 d 4 h"],
  [-5, "0 ms"],
])("a duration of %d ms is %s", (ms, text) => expect(duration(ms)).toBe(text));

test("what is less than a second ago, or ahead of our clock, is just now", () => {
  expect(ago(1000, 1999)).toBe("just now");
  expect(ago(5000, 1000)).toBe("just now");
  expect(ago(1000, 13_000)).toBe("12 s ago");
});

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1200, "1.2 kB"],
  [34_000_000, "34 MB"],
  [5e15, "5000 TB"],
])("%d bytes are %s", (amount, text) => expect(bytes(amount)).toBe(text));

test.each([
  [0.94, "0.9 ms"],
  [12.8, "13 ms"],
  [1840, "1.84 s"],
])("a step of %d ms is %s", (ms, text) => expect(step(ms)).toBe(text));

describe("numbers and words", () => {
  test("thousands are grouped by a space that does not break", () => expect(grouped(1234567)).toBe("1\u202f234\u202f567"));
  test("one and many", () => expect([plural(1, "group"), plural(2, "group")]).toEqual(["1 group", "2 groups"]));
  test("a reason's word as people write it", () => expect(spaced("HaltedManualRecovery")).toBe("Halted manual recovery"));
  test("times are the reader's own", () => {
    const at = new Date(2026, 10, 2, 3, 4, 5).getTime();
    expect([absolute(at), clock(at)]).toEqual(["2026-11-02 03:04:05", "03:04:05"]);
  });
});
