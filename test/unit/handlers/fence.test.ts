import { expect, test } from "vitest";
import { lostText } from "../../../handlers/act/fence.ts";

const UNTIL = new Date("2026-01-01T00:00:30Z");

test.each([
  [
    132_000,
    "2026-01-01T00:00:20.000Z",
    "lost 132 kB of writes taken by cache-a between 2026-01-01T00:00:20.000Z and 2026-01-01T00:00:30.000Z: another one was master by then",
  ],
  [900, undefined, "lost 900 bytes of writes taken by cache-a until 2026-01-01T00:00:30.000Z: another one was master by then"],
])("what a returning master took is told: %i bytes", (bytes, since, text) => {
  expect(lostText("cache-a", bytes, since, UNTIL)).toBe(text);
});
