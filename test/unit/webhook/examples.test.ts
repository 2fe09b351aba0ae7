/** The examples that people copy: each workload is taken without a word, and so are its pods. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { injectPod } from "../../../webhook/inject/pod.ts";
import { injectWorkload } from "../../../webhook/inject/workload.ts";
import { at, type JsonObject } from "../../../webhook/json.ts";
import { apply, contextAt } from "./support.ts";

const folder = new URL("../../../manifests/examples/", import.meta.url);
const workloads = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".yaml"))
  .flatMap((file) =>
    parseAllDocuments(readFileSync(new URL(file, folder), "utf8")).map((document) => ({
      file,
      object: document.toJS() as JsonObject,
    })),
  )
  .filter(({ object }) => ["Deployment", "StatefulSet"].includes(String(object.kind)))
  .map(({ file, object }) => ({ file, object, name: String(at(object, "metadata", "name")) }));

test.each(workloads)("$file: $name", ({ object }) => {
  const result = injectWorkload(object, contextAt());
  expect(result).toMatchObject({ errors: [], warnings: [] });
  const template = at(apply(object, result), "spec", "template") as JsonObject;
  const pod = injectPod(template, contextAt());
  expect(pod).toMatchObject({ errors: [], warnings: [] });
  expect(pod.operations.length).toBeGreaterThan(10);
});

test("there are some", () => {
  expect(workloads.length).toBeGreaterThan(3);
});
