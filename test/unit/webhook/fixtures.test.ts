/**
 * Each fixtures/NAME.yaml is a pod as a person writes it; fixtures/injected/NAME.yaml is what becomes of it, with the operations and warnings.
 * After a wanted change: npx vitest run test/unit/webhook/fixtures.test.ts -u, and read the difference.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { injectPod } from "../../../webhook/inject/pod.ts";
import { apply, contextAt, yaml } from "./support.ts";

const folder = new URL("fixtures/", import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

describe.each(names)("%s", (name) => {
  const pod = yaml(readFileSync(new URL(name, folder), "utf8"));
  const result = injectPod(pod, contextAt());

  test("becomes what is expected", async () => {
    expect(result.errors).toEqual([]);
    const text = stringify(
      { warnings: result.warnings, pod: apply(pod, result) },
      { aliasDuplicateObjects: false, lineWidth: 0 },
    );
    await expect(text).toMatchFileSnapshot(`fixtures/injected/${name}`);
  });

  test("is not touched a second time", () => {
    expect(injectPod(apply(pod, result), contextAt()).operations).toEqual([]);
  });

  test("is left as it was", () => {
    const before = structuredClone(pod);
    injectPod(pod, contextAt());
    expect(pod).toEqual(before);
  });
});
