/** The webhook configuration says the same as the code. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LABEL } from "../../../model/names.ts";
import { at, field, objects } from "../../../webhook/json.ts";
import { yaml } from "./support.ts";

const manifest = yaml(readFileSync(new URL("../../../manifests/base/webhook.yaml", import.meta.url), "utf8"));
const webhooks = objects(manifest.webhooks).map(({ object }) => object);

test("two webhooks, for pods and for workloads", () => {
  expect(webhooks.map((webhook) => [field(webhook, "name"), at(webhook, "clientConfig", "service", "path")])).toEqual([
    ["pods.redis-ha.io", "/mutate/pods"],
    ["workloads.redis-ha.io", "/mutate/workloads"],
  ]);
});

test("both fail closed, soon, without side effects, and keep out of the system's namespaces", () => {
  for (const webhook of webhooks) {
    expect(webhook).toMatchObject({
      failurePolicy: "Fail",
      timeoutSeconds: 5,
      sideEffects: "None",
      reinvocationPolicy: "IfNeeded",
      matchPolicy: "Equivalent",
      admissionReviewVersions: ["v1"],
      namespaceSelector: {
        matchExpressions: [
          {
            key: "kubernetes.io/metadata.name",
            operator: "NotIn",
            values: ["kube-system", "kube-node-lease", "redis-ha-system"],
          },
          { key: LABEL.injection, operator: "NotIn", values: ["disabled"] },
        ],
      },
    });
    expect(at(webhook, "clientConfig", "caBundle")).toBeUndefined();
  }
});

test("the API server sends only what has a key of ours", () => {
  for (const webhook of webhooks) {
    const [asks] = objects(field(webhook, "matchConditions")).map(({ object }) => String(object.expression));
    for (const key of ["startsWith('redis-ha.io/')", `'${LABEL.cluster}' in`, `'${LABEL.role}' in`]) expect(asks).toContain(key);
  }
});
