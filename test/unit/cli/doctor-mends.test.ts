/** What doctor says mends a finding does mend it. */
import { expect, test } from "vitest";
import { examine } from "../../../cli/doctor/examine.ts";
import type { Facts, Finding } from "../../../cli/doctor/findings.ts";
import { annotate, workloadOf } from "../../../cli/doctor/group-pods.ts";
import type { NetworkPolicy } from "../../../cli/doctor/network.ts";
import { ANNOTATION } from "../../../model/names.ts";
import { injectWorkload } from "../../../webhook/inject/workload.ts";
import { at, type JsonObject } from "../../../webhook/json.ts";
import { apply, contextAt } from "../webhook/support.ts";
import { DENY_ALL, healthy, redis } from "./doctor-facts.ts";

const quoted = (command: string): unknown => JSON.parse(/'(.*)'/.exec(command)?.[1] ?? "");
const networkFindings = (policies: readonly NetworkPolicy[], facts: Facts = healthy()): Finding[] =>
  examine({ ...facts, policies }).filter(({ check }) => check === "network");

const SILENT: NetworkPolicy = {
  metadata: { name: "silent", namespace: "redis-ha-system" },
  spec: { podSelector: {}, policyTypes: ["Egress"] },
};

test.each([
  ["in the group's namespace", DENY_ALL],
  ["in redis-ha's namespace", SILENT],
])("a NetworkPolicy %s: the one that doctor prints lets redis-ha and the group through", (_, policy) => {
  const [first] = networkFindings([policy]);
  expect(first?.mend).toContain("kubectl apply -f -");
  const added = quoted(first?.mend ?? "") as NetworkPolicy;
  expect(networkFindings([policy, added])).toEqual([]);
});

test.each([
  ["the template has one of its own", {}, { [ANNOTATION.minReplicasToWrite]: "0" }],
  ["the template has the workload's", { [ANNOTATION.minReplicasToWrite]: "0" }, { [ANNOTATION.minReplicasToWrite]: "0" }],
  ["nobody has one", {}, {}],
])("the printed patch sets an annotation where %s", (_, own, template) => {
  const before: JsonObject = {
    kind: "Deployment",
    metadata: { name: "cache", annotations: { [ANNOTATION.cluster]: "cache", ...own } },
    spec: {
      selector: { matchLabels: { app: "cache" } },
      template: {
        metadata: { labels: { app: "cache" }, annotations: { [ANNOTATION.cluster]: "cache", ...template } },
        spec: { containers: [{ name: "redis", image: "redis:7" }] },
      },
    },
  };
  const patch = quoted(annotate(redis("a"), ANNOTATION.minReplicasToWrite, "1")) as JsonObject;
  const after = structuredClone(before) as { spec: { template: { metadata: { annotations: object } } } };
  Object.assign(after.spec.template.metadata.annotations, at(patch, "spec", "template", "metadata", "annotations"));
  const answer = injectWorkload(after, { ...contextAt(), oldObject: before });
  expect(answer.errors).toEqual([]);
  const annotations = at(apply(after as unknown as JsonObject, answer), "spec", "template", "metadata", "annotations");
  expect(annotations).toMatchObject({ [ANNOTATION.minReplicasToWrite]: "1" });
});

test("a workload is named as kubectl takes it", () => {
  const pod = redis("a");
  const owner = (kind: string, name: string) => ({
    ...pod,
    metadata: { ...pod.metadata, ownerReferences: [{ apiVersion: "apps/v1", kind, name, uid: "u", controller: true }] },
  });
  expect(workloadOf(pod)).toBe("deployment cache");
  expect(workloadOf(owner("StatefulSet", "store"))).toBe("statefulset store");
  expect(workloadOf(owner("ReplicaSet", "by-hand")), "a ReplicaSet of its own").toBe("deployment NAME");
});
