/** The same scripts on the real servers and on the simulator's models: a model that says something else than the server would prove nothing. */
import { afterEach, describe, expect, test } from "vitest";
import { type ServerBinary, serverBinaries } from "../servers/install.ts";
import type { Bench } from "./bench.ts";
import { realBench } from "./real.ts";
import { redis, type Script, sentinel, watching } from "./scripts.ts";
import { simulatedBench } from "./simulated.ts";

const open: Bench[] = [];
afterEach(async () => {
  for (const bench of open.splice(0)) await bench.end();
});

async function oldest(): Promise<ServerBinary> {
  const [first] = await serverBinaries();
  if (first === undefined) throw new Error("there is no server to compare with");
  return first;
}

async function compare(script: Script, password?: string): Promise<void> {
  const real = await realBench(await oldest(), password);
  open.push(real);
  const wanted = await script(real);
  // Nothing may have gone by without being seen: every line is about something.
  expect(Object.values(wanted).filter((value) => String(value).startsWith("(never"))).toEqual([]);
  for (const seed of [1, 2, 3]) expect(await script(await simulatedBench(seed, password))).toEqual(wanted);
}

describe("the model does what the server does", () => {
  test("redis", () => compare(redis));
  test("sentinel", () => compare(sentinel));
  test("what a sentinel sees: with and without the password, of a server and of itself that stood still", () =>
    compare(watching, "the-password"));
});
