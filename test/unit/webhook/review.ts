/** AdmissionReviews as API servers send them: for the tests, the fuzzing and the benchmark. */
import type { JsonObject } from "../../../webhook/json.ts";

/** The creation of this object, unless `more` says otherwise. */
export function review(object: JsonObject | null, more: JsonObject = {}): JsonObject {
  const workload = object?.kind === "Deployment" || object?.kind === "StatefulSet";
  const kind = workload ? { group: "apps", version: "v1", kind: object.kind ?? "" } : { group: "", version: "v1", kind: "Pod" };
  const resource = workload
    ? { group: "apps", version: "v1", resource: "deployments" }
    : { group: "", version: "v1", resource: "pods" };
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "0df28fbd-5f5f-11e8-bc74-36e6bb280816",
      kind,
      resource,
      requestKind: kind,
      requestResource: resource,
      namespace: "shop",
      operation: "CREATE",
      userInfo: {
        username: "system:serviceaccount:kube-system:replicaset-controller",
        uid: "9c1d0a2e-5f5f-11e8-bc74-36e6bb280816",
        groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
      },
      object,
      oldObject: null,
      dryRun: false,
      options: { apiVersion: "meta.k8s.io/v1", kind: "CreateOptions" },
      ...more,
    },
  };
}
