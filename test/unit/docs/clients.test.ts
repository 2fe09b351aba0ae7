import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { settingsBlock } from "../../clients/docs.ts";
import { PROGRAMS, versionOf } from "../../clients/programs.ts";

const read = (name: string): string => readFileSync(new URL(`../../../docs/clients/${name}.md`, import.meta.url), "utf8");

test.each(Object.keys(PROGRAMS))("docs/clients/%s.md shows the settings of the program that was measured", (name) => {
  expect(read(name)).toContain(settingsBlock(name));
});

test.each(Object.entries(PROGRAMS))("the index names %s with its pinned version", (name, { title }) => {
  expect(read("README")).toContain(`[${title}](${name}.md) ${versionOf(name)}`);
});
