/** The quickstart with more annotations. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { ANNOTATION } from "../../../model/names.ts";
import { EXAMPLES } from "./bed.ts";

/** The manifest of the quickstart whose Deployment has this annotation as well, as it is written in YAML. */
export function annotatedQuickstart(annotation: string, value: string): string {
  const key = `${ANNOTATION.cluster}: cache`;
  const yaml = readFileSync(join(EXAMPLES, "quickstart.yaml"), "utf8");
  expect(yaml).toContain(key);
  return yaml.replace(key, `${key}\n        ${annotation}: ${value}`);
}
