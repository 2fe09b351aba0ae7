/** At 3 a.m. every word that redis-ha says has its place in docs/runbooks.md, and nothing there is about a word that is never said. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HALTED, REASON, WARNING } from "../../../model/reasons.ts";
import { ruleGroups } from "../../monitoring/rules.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const text = readFileSync(join(ROOT, "docs/runbooks.md"), "utf8");
const chapters = [...text.matchAll(/^## (\w+)$/gm)].map(([, heading = ""]) => heading);
/** The first cell of a row of the table. */
const rows = [...text.matchAll(/^\| (`\w+`(?:, `\w+`)*) +\|/gm)].flatMap(([, cell = ""]) => cell.replaceAll("`", "").split(", "));
const alerts = ruleGroups().flatMap(({ rules }) => rules.map(({ alert }) => alert));

test("every alert and every halted reason has its chapter", () => {
  for (const one of [...alerts, ...HALTED]) expect(chapters).toContain(one);
});

test("every other Warning has a chapter or a row", () => {
  expect([...WARNING].filter((reason) => !chapters.includes(reason) && !rows.includes(reason))).toEqual([]);
});

test("no chapter and no row is about what is never said", () => {
  const said = new Set<string>([...alerts, ...WARNING]);
  expect([...chapters, ...rows].filter((one) => !said.has(one))).toEqual([]);
});

test("every reason is said somewhere", () => {
  const sources = globSync("{handlers,webhook,certs,cli}/**/*.ts", { cwd: ROOT }).map((file) =>
    readFileSync(join(ROOT, file), "utf8"),
  );
  const said = new Set(sources.flatMap((source) => [...source.matchAll(/\bREASON\.(\w+)/g)].map(([, name]) => name)));
  expect(Object.keys(REASON).filter((name) => !said.has(name))).toEqual([]);
});
