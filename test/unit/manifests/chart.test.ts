/** The chart is made from the base. That the real helm renders the same as kustomize, and installs it: `npm run test:chart`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { CHART, chartTemplates, writtenTemplates } from "../../../scripts/chart.ts";
import { defaultImages } from "../../../scripts/manifests.ts";
import { asObject, at } from "../../../webhook/json.ts";

const read = (name: string): unknown => parse(readFileSync(join(CHART, name), "utf8"));
const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

test("the templates are those of the base (after a change: npm run manifests)", () => {
  expect(writtenTemplates().toSorted(byName)).toEqual(chartTemplates().toSorted(byName));
});

test("chart and program have one version, and the images are those of the default overlay", () => {
  const { version } = parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as { version: string };
  expect(read("Chart.yaml")).toMatchObject({ version, appVersion: version });
  const values = read("values.yaml");
  expect(defaultImages()).toEqual({
    server: `${String(at(values, "image", "repository"))}:${version}`,
    boot: `${String(at(values, "bootImage", "repository"))}:${version}`,
  });
});

test("every value is in the schema, and every template's value exists", () => {
  const values = read("values.yaml");
  const known = Object.keys(asObject(at(read("values.schema.json"), "properties")) ?? {});
  expect(Object.keys(asObject(values) ?? {}).filter((key) => !known.includes(key))).toEqual([]);
  const used = chartTemplates().flatMap(({ text }) => [...text.matchAll(/\.Values\.([\w.]+)/g)].map(([, path]) => path ?? ""));
  expect(used.filter((path) => at(values, ...path.split(".")) === undefined)).toEqual([]);
});
