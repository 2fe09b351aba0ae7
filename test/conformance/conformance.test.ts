/** The same scripts on the real servers and on the simulator's models: a model that says something else than the server would prove nothing. */
import { describe, expect, test } from "vitest";
import { SUPPORTED, serverBinary } from "../servers/supported.ts";
import { realBench } from "./real.ts";
import { redis, type Script, sentinel, watching } from "./scripts.ts";
import { simulatedBench } from "./simulated.ts";

async function compare(version: string, script: Script, password?: string): Promise<void> {
  const real = await realBench(await serverBinary(version), password);
  try {
    const wanted = await script(real);
    // Nothing may have gone by without being seen: every line is about something.
    expect(Object.values(wanted).filter((value) => String(value).startsWith("(never"))).toEqual([]);
    for (const seed of [1, 2, 3]) expect(await script(await simulatedBench(seed, password))).toEqual(wanted);
  } finally {
    await real.end();
  }
}

describe.concurrent.each(SUPPORTED.map((version) => ({ version })))("the model does what $version does", ({ version }) => {
  test("redis", () => compare(version, redis));
  test("sentinel", () => compare(version, sentinel));
  test("what a sentinel sees: with and without the password, of a server and of itself that stood still", () =>
    compare(version, watching, "the-password"));
});
