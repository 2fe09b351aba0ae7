/** Every command block of the guides is run as it stands, so that none of them can rot. */
import { expect, inject } from "vitest";
import { runGuide } from "../guides/run.ts";
import { test } from "./lib/scenario.ts";

test("docs/quickstart.md", async ({ space }) => {
  expect(await runGuide("docs/quickstart.md", { cluster: inject("cluster"), namespace: space.namespace })).toBeGreaterThan(5);
});
