import { expect, test } from "vitest";
import { lostBytes, lostText } from "../../../handlers/act/fence.ts";

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

const replication = (fields: Readonly<Record<string, string>>) => new Map(Object.entries(fields));
const OLD = replication({ master_replid: "h1", master_repl_offset: "1500" });

test.each([
  ["all after the last common byte", { master_replid2: "h1", second_repl_offset: "1001" }, 500],
  ["nothing more than the new master has", { master_replid2: "h1", second_repl_offset: "1501" }, 0],
  ["less than the new master has", { master_replid2: "h1", second_repl_offset: "1601" }, 0],
  ["another history: it can't be said", { master_replid2: "h9", second_repl_offset: "1001" }, 0],
  ["no answer of the new master", {}, 0],
])("what is lost: %s", (_, after, bytes) => {
  expect(lostBytes(OLD, replication(after))).toBe(bytes);
});

test("what is lost: no answer of the old master", () => {
  expect(lostBytes(new Map(), replication({ master_replid2: "h1", second_repl_offset: "1001" }))).toBe(0);
  expect(lostBytes(new Map(), new Map())).toBe(0);
});
