import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { blocksOf, missingLine, unrunLanguages, withWords } from "../../guides/blocks.ts";
import { GUIDES, IN_EVERY_TEST, NOT_GUIDES } from "../../guides/guides.ts";

const ROOT = join(import.meta.dirname, "..", "..", "..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const DOCS = globSync("docs/*.md", { cwd: ROOT });

describe("what the runner reads of a guide", () => {
  const only = (markdown: string) => blocksOf(markdown)[0];

  test("blocks of sh, with what the text after them expects of their output", () => {
    const guide =
      "text\n```sh wait=30\nkubectl get pods\n```\nAnswer:\n```text\nNAME …\ncache-…  1/1\n```\n```yaml\na: 1\n```\n```sh\ntrue\n```\n";
    expect(blocksOf(guide)).toMatchObject([
      { line: 2, kind: "shown", commands: "kubectl get pods", waitS: 30, exits: [0], expected: ["NAME …", "cache-…  1/1"] },
      { line: 13, kind: "shown", commands: "true", waitS: 0, forS: 0, expected: [] },
    ]);
  });

  test("one that is not run says why", () => {
    expect(only('```sh not-run="needs Docker"\nkind\n```')).toMatchObject({ notRun: "needs Docker" });
  });

  test("exit codes, commands that go on, and the author's own comments", () => {
    expect(only("```sh exit=0,1\nx\n```")).toMatchObject({ exits: [0, 1] });
    expect(only("```sh for=5\nx\n```")).toMatchObject({ forS: 5 });
    expect(only("<!-- run wait=9\nx --yes\n-->")).toMatchObject({ kind: "hidden", waitS: 9, commands: "x --yes" });
    expect(only("<!-- words\nPOD=a\n-->")).toMatchObject({ kind: "words", commands: "POD=a" });
    expect(blocksOf("<!-- a remark -->\n")).toEqual([]);
  });

  test("an indented block is taken without its indentation", () => {
    expect(only("1. so\n\n   ```sh\n   a \\\n     b\n   ```")).toMatchObject({ commands: "a \\\n  b" });
  });

  test.each(["```sh", "```sh later\nx\n```", "```sh wait=soon\nx\n```"])("an author's mistake is an error: %j", (markdown) => {
    expect(() => blocksOf(`\n${markdown}`)).toThrow("line 2");
  });

  test("words of the reader are replaced where they stand alone", () => {
    const words = new Map([["POD", "cache-1"]]);
    expect(withWords("kubectl -n NAMESPACE logs POD PODS $POD_NAME", words)).toBe(
      "kubectl -n NAMESPACE logs cache-1 PODS $POD_NAME",
    );
  });

  test("expected lines come in order; … stands for anything, and spaces for spaces", () => {
    const output = "NAME      READY\ncache-x   1/1\ncache-y   0/1";
    expect(missingLine(output, ["NAME …", "cache-…  1/1"])).toBeUndefined();
    expect(missingLine(output, ["cache-… 0/1", "cache-… 1/1"])).toBe("cache-… 1/1");
    expect(missingLine("a.b", ["a?b"])).toBe("a?b");
  });
});

describe("no command that a reader would type is run by nobody", () => {
  test("every document with commands is a guide", () => {
    const withCommands = DOCS.filter((file) => blocksOf(read(file)).length > 0 || unrunLanguages(read(file)).length > 0);
    expect(withCommands.filter((file) => ![...GUIDES, ...NOT_GUIDES].some((guide) => guide === file))).toEqual([]);
  });

  test.each(GUIDES)("%s has only blocks that are run, or say why not", (file) => {
    expect(unrunLanguages(read(file))).toEqual([]);
    expect(blocksOf(read(file)).length).toBeGreaterThan(0);
    // A block by indentation alone has no language.
    expect(read(file).match(/^ {4}(kubectl|redis-ha|npm|helm) .*/gm) ?? []).toEqual([]);
  });

  test("those of every test run are guides", () => {
    for (const file of IN_EVERY_TEST) expect(GUIDES).toContain(file);
  });
});

/** Anchors as they are made from headings. */
const anchors = (markdown: string): string[] =>
  [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, "")
      .replaceAll(/\s/g, "-"),
  );

test.each(["README.md", ...DOCS])("every link of %s leads somewhere", (file) => {
  for (const [, target = ""] of read(file).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
    const [path = "", anchor] = target.split("#");
    const full = path === "" ? join(ROOT, file) : join(ROOT, file, "..", path);
    if (anchor === undefined) expect(globSync(full), target).toHaveLength(1);
    else expect(anchors(readFileSync(full, "utf8")), target).toContain(anchor);
  }
});
