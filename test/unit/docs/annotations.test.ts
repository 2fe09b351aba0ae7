import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { TABLE } from "../../../model/annotation-table.ts";

// The formatter pads tables.
const page = readFileSync(new URL("../../../docs/annotations.md", import.meta.url), "utf8").replaceAll(/ +/g, " ");
const plain = (text: string): string => text.replaceAll("|", "\\|");

test.each(Object.values(TABLE).map((row) => [row.key, row] as const))(
  "docs/annotations.md says of %s what the table says",
  (key, row) => {
    expect(page).toContain(`| \`${key}\` | ${plain(row.allowed)} | ${plain(row.defaultText)} | ${plain(row.description)} |`);
  },
);
