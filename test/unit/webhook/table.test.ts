/** docs/webhook-tests.md names tests that exist. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
const table = readFileSync(join(ROOT, "docs", "webhook-tests.md"), "utf8");
const named = [...table.matchAll(/`(test\/[^`]+\.test\.ts)` "([^"]+)"/g)].map(([, file = "", title = ""]) => ({ file, title }));
const mentioned = [...table.matchAll(/`test\/[^`]+\.test\.ts` "/g)].length;

test("every test that is named there can be found by its title", () => {
  const lost = named.filter(({ file, title }) => {
    const path = join(ROOT, file);
    return !existsSync(path) || !readFileSync(path, "utf8").includes(title);
  });
  expect(lost).toEqual([]);
  expect(named.length).toBe(mentioned);
  expect(named.length).toBeGreaterThan(40);
});
