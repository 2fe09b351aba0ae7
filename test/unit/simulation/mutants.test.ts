/** The mutants are broken only by hand (`npm run simulate:mutants`): a change of the product must not leave one behind without its line. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MUTANTS } from "../../simulation/mutants.ts";

const ROOT = join(import.meta.dirname, "../../..");

describe.each(MUTANTS)("$name", ({ changes }) => {
  test.each(changes)("has its line in $file", ({ file, find, replace }) => {
    const source = readFileSync(join(ROOT, file), "utf8");
    expect(source.split(find), find).toHaveLength(2);
    expect(replace).not.toBe(find);
  });
});
