import { expect, test } from "vitest";
import { overlapMs, spansOf } from "../../../bench/matrix/spans.ts";

test("changes become spans; the last may still be on", () => {
  const changes = [
    { at: 10, writable: true },
    { at: 30, writable: false },
    { at: 50, writable: true },
  ];
  expect(spansOf(changes, 80)).toEqual([
    { from: 10, to: 30 },
    { from: 50, to: 80 },
  ]);
});

test("the time in which two or more were on; a hand-over at one instant is none", () => {
  expect(overlapMs([[{ from: 0, to: 10 }], [{ from: 10, to: 20 }]])).toBe(0);
  expect(overlapMs([[{ from: 0, to: 15 }], [{ from: 10, to: 20 }], [{ from: 12, to: 13 }]])).toBe(5);
  expect(
    overlapMs([
      [
        { from: 0, to: 5 },
        { from: 8, to: 12 },
      ],
      [{ from: 4, to: 10 }],
    ]),
  ).toBe(3);
  expect(overlapMs([[{ from: 0, to: 100 }]])).toBe(0);
});
