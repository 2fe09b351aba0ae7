import { expect, test } from "vitest";
import { type Line, parseLine } from "../../clients/contract.ts";
import { writersIn } from "../../clients/field.ts";
import { measure } from "../../clients/measure.ts";

const ack = (writer: number, at: number, from = at - 1): Line => ({ ack: `k:${writer}:${at}`, writer, from, to: at });
const failure = (error: string, at: number, from: number, text = error): Line => ({ error, text, writer: 0, from, to: at });
const DURING = { faultAtMs: 1000, endMs: 5000, writers: 2, stuckAfterMs: 500 };

/** A writer that writes every 100 ms from one time to another. */
const steady = (writer: number, from: number, to: number): Line[] => {
  const lines: Line[] = [];
  for (let at = from; at <= to; at += 100) lines.push(ack(writer, at));
  return lines;
};
const measured = (lines: readonly Line[], stamps: readonly number[] = lines.map(() => 0)) => measure(lines, stamps, DURING);

test("the gap begins with the last write before the fault and ends with the first of any writer", () => {
  const seen = measured([...steady(0, 100, 900), ...steady(1, 100, 900), ...steady(0, 1400, 4950), ...steady(1, 3000, 4950)]);
  expect(seen.gapMs).toBe(500);
  expect(seen.worstWriterMs).toBe(2100);
  expect(seen.stuckWriters).toBe(0);
});

test("a gap before the fault is none of its own", () => {
  const seen = measured([ack(0, 100), ack(1, 100), ...steady(0, 900, 4950), ...steady(1, 900, 4950)]);
  expect(seen.gapMs).toBeLessThanOrEqual(100);
});

test("who never writes again is stuck, and its gap counts to the end", () => {
  const seen = measured([...steady(0, 100, 4950), ...steady(1, 100, 900)]);
  expect(seen.stuckWriters).toBe(1);
  expect(seen.worstWriterMs).toBe(4100);
  expect(seen.gapMs).toBeLessThanOrEqual(150);
});

test("a program that wrote nothing at all after the fault is stuck with all writers", () => {
  expect(measured([...steady(0, 100, 900), ...steady(1, 100, 900)])).toMatchObject({ stuckWriters: 2, gapMs: 4100 });
});

test("the longest call is also one that failed; errors before the fault don't count", () => {
  const seen = measured([
    failure("ECONNRESET", 500, 400),
    ...steady(0, 100, 4950),
    ...steady(1, 100, 4950),
    failure("Timeout", 4000, 1000),
  ]);
  expect(seen.longestCallMs).toBe(3000);
  expect(seen.errors).toEqual({ Timeout: 1 });
});

test("a write to a replica is known by the error's kind or by its text", () => {
  const seen = measured([
    ...steady(0, 100, 4950),
    ...steady(1, 100, 4950),
    failure("READONLY", 1100, 1090),
    failure("ReadOnlyError", 1200, 1190, "You can't write against a read only replica"),
    failure("ERR", 1300, 1290, "-READONLY You can't write"),
    failure("ERR", 1400, 1390, "something else"),
  ]);
  expect(seen.toReplica).toBe(3);
});

test("connections are counted from the fault on, and not known where the library does not tell", () => {
  const lines: Line[] = [{ connected: true }, ack(0, 1100), { connected: true }];
  expect(measured(lines, [10, 1100, 1200]).connections).toBe(1);
  expect(measured([ack(0, 1100)], [1100]).connections).toBeUndefined();
});

test.each([
  ['{"ack":"k","writer":0,"from":1.5,"to":2}', { ack: "k", writer: 0, from: 1.5, to: 2 }],
  ['{"error":"E","text":"t","writer":1,"from":1,"to":2}', { error: "E", text: "t", writer: 1, from: 1, to: 2 }],
  ['{"ready":true}', { ready: true }],
  ["WARNING: a runtime says something", undefined],
  ["{ not JSON", undefined],
  ['{"ack":"k","writer":0,"from":"1","to":2}', undefined],
])("%s", (text, line) => {
  expect(parseLine(text)).toEqual(line);
});

test("only ordinary clients whose last command was SET are writers: no replication links, nobody else's connections", () => {
  const list = [
    "id=1 addr=10.0.0.1:1 flags=N db=0 cmd=set user=default",
    "id=2 addr=10.0.0.2:1 flags=M db=0 cmd=set user=default",
    "id=3 addr=10.0.0.3:1 flags=N db=0 cmd=info user=default",
  ].join("\n");
  expect(writersIn(list)).toHaveLength(1);
});
