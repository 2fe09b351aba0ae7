/** Reviews as API servers send them: of an annotated pod, from small to nearly the largest that etcd stores. */
import { review } from "../../test/unit/webhook/review.ts";
import type { JsonObject } from "../../webhook/json.ts";

export interface Review {
  readonly name: string;
  readonly body: Buffer;
}

const SIZES: readonly { readonly name: string; readonly bytes: number }[] = [
  { name: "2 KiB", bytes: 0 },
  { name: "10 KiB", bytes: 10 * 1024 },
  { name: "100 KiB", bytes: 100 * 1024 },
  { name: "1.5 MiB", bytes: 1536 * 1024 },
];

export function reviews(): Review[] {
  return SIZES.map(({ name, bytes }) => {
    const base = Buffer.byteLength(JSON.stringify(review(podWith([], ""))));
    const variables: JsonObject[] = [];
    let size = base;
    // What makes real pods large: environment variables, managed fields, and one long annotation (a configuration, a last-applied object).
    for (let index = 0; size < bytes * 0.5 && index < 400; index += 1) {
      const variable = {
        name: `SETTING_NUMBER_${index}`,
        valueFrom: { configMapKeyRef: { name: `configuration-${index % 7}`, key: `the.key.number.${index}` } },
      };
      variables.push(variable);
      size += JSON.stringify(variable).length + 1;
    }
    const filler = '{"kind":"Deployment","spec":{"value":"0123456789"}} '.repeat(Math.ceil(Math.max(0, bytes - size) / 60));
    return { name, body: Buffer.from(JSON.stringify(review(podWith(variables, filler)))) };
  });
}

/** An annotated pod of a ReplicaSet, with this environment and, if not empty, this note. */
function podWith(env: readonly JsonObject[], note: string): JsonObject {
  const owner = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    name: "cache-7d4b9c6f8",
    uid: "5f4dcc3b-5aa7-65d6-1d83-27deb882cf99",
  };
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: {
      generateName: "cache-7d4b9c6f8-",
      namespace: "shop",
      creationTimestamp: null,
      labels: { app: "cache", "pod-template-hash": "7d4b9c6f8" },
      annotations: { "redis-ha.io/cluster": "cache", ...(note === "" ? {} : { "example.com/last-applied": note }) },
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
      managedFields: [
        {
          manager: "kube-controller-manager",
          operation: "Update",
          apiVersion: "v1",
          time: "2026-11-22T12:00:00Z",
          fieldsType: "FieldsV1",
          fieldsV1: {
            "f:metadata": { "f:generateName": {}, "f:labels": { ".": {}, "f:app": {} } },
            "f:spec": { "f:containers": {} },
          },
        },
      ],
    },
    spec: {
      volumes: [
        {
          name: "kube-api-access-x2x",
          projected: { sources: [{ serviceAccountToken: { expirationSeconds: 3607, path: "token" } }], defaultMode: 420 },
        },
      ],
      containers: [
        {
          name: "redis",
          image: "redis:7",
          args: ["redis-server", "--maxmemory", "100mb"],
          env,
          resources: { requests: { cpu: "100m", memory: "128Mi" } },
          volumeMounts: [
            { name: "kube-api-access-x2x", readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" },
          ],
          terminationMessagePath: "/dev/termination-log",
          terminationMessagePolicy: "File",
          imagePullPolicy: "IfNotPresent",
        },
      ],
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 30,
      dnsPolicy: "ClusterFirst",
      serviceAccountName: "default",
      schedulerName: "default-scheduler",
      tolerations: [{ key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 }],
    },
    status: {},
  };
}
