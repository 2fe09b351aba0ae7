import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { blocksOf, missingLine } from "../../guides/blocks.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const GUIDE =
  "text\n```sh wait=30\nkubectl get pods\n```\nAnswer:\n```text\nNAME …\ncache-…  1/1\n```\n```console\nkind create cluster\n```\n```sh\ntrue\n```\n";

test("blocks of sh are run, with what is expected of them; console is only shown", () => {
  expect(blocksOf(GUIDE)).toEqual([
    { line: 2, commands: "kubectl get pods", waitS: 30, expected: ["NAME …", "cache-…  1/1"] },
    { line: 13, commands: "true", waitS: 0, expected: [] },
  ]);
  expect(() => blocksOf("```sh\ntrue")).toThrow("line 1");
});

test("expected lines come in order; … stands for anything, and spaces for spaces", () => {
  const output = "NAME      READY\ncache-x   1/1\ncache-y   0/1";
  expect(missingLine(output, ["NAME …", "cache-…  1/1"])).toBeUndefined();
  expect(missingLine(output, ["cache-… 0/1", "cache-… 1/1"])).toBe("cache-… 1/1");
  expect(missingLine("a.b", ["a?b"])).toBe("a?b");
});

/** Anchors as they are made from headings. */
const anchors = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(/\s/g, "-"),
  );

test.each(["README.md", ...globSync("docs/*.md", { cwd: ROOT })])("every link of %s leads somewhere", (file) => {
  const text = readFileSync(join(ROOT, file), "utf8");
  for (const [, target = ""] of text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
    const [path = "", anchor] = target.split("#");
    const full = path === "" ? join(ROOT, file) : join(ROOT, file, "..", path);
    if (anchor === undefined) expect(globSync(full), target).toHaveLength(1);
    else expect(anchors(readFileSync(full, "utf8")), target).toContain(anchor);
  }
});
