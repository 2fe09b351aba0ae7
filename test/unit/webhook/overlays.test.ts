/** The overlays that change rights say what they mean; that they build is shown on the real cluster. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { at, type JsonObject, objects } from "../../../webhook/json.ts";

const read = (path: string): JsonObject[] =>
  parseAllDocuments(readFileSync(new URL(`../../../manifests/${path}`, import.meta.url), "utf8")).map(
    (one) => one.toJS() as JsonObject,
  );
const first = (path: string): JsonObject => read(path)[0] ?? {};
const rulesOf = (object: JsonObject): JsonObject[] => objects(object.rules).map(({ object: rule }) => rule);
const patches = (overlay: string) => objects(first(`overlays/${overlay}/kustomization.yaml`).patches).map(({ object }) => object);

test("the Role of one namespace has the rules of the ClusterRole, but for what is of the whole cluster", () => {
  const wanted = rulesOf(first("base/cluster-role.yaml")).filter((rule) => {
    const resources = JSON.stringify(rule.resources);
    return !resources.includes("nodes") && !resources.includes("mutatingwebhookconfigurations");
  });
  expect(rulesOf(first("overlays/namespaced/role.yaml"))).toEqual(wanted);
});

test("with cert-manager exactly the rights for keeping certificates are taken away", () => {
  const rules: Record<string, JsonObject[]> = {
    ClusterRole: rulesOf(first("base/cluster-role.yaml")),
    Role: rulesOf(first("base/role.yaml")),
  };
  const removed: unknown[] = [];
  for (const patch of patches("cert-manager")) {
    const kind = String(at(patch, "target", "kind"));
    if (rules[kind] === undefined) continue;
    for (const { path, op, value } of parse(String(patch.patch)) as { op: string; path: string; value: string }[]) {
      const [, , index = "", field = "", place = ""] = path.split("/");
      const rule = rules[kind][Number(index)] ?? {};
      if (op === "test") expect(at(rule, field)).toContain(value);
      else removed.push(rule.resources);
      expect(["", "0"]).toContain(place);
    }
  }
  expect(removed).toEqual([["mutatingwebhookconfigurations"], ["secrets"], ["secrets"]]);
});

test("what certificates are for, and where the server looks for them", () => {
  const [, , , leaf] = read("overlays/cert-manager/certificates.yaml");
  expect(at(leaf, "spec", "dnsNames")).toContain("redis-ha-webhook.redis-ha-system.svc");
  const mounted = first("overlays/cert-manager/mounted-certificate.yaml");
  const [volume] = objects(at(mounted, "spec", "template", "spec", "volumes"));
  expect(at(volume?.object, "secret", "secretName")).toBe(at(leaf, "spec", "secretName"));
});
