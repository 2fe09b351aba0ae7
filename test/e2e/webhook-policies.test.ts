/** Namespaces with strict rules take what is injected: restricted Pod Security, ResourceQuota, LimitRange, random users, read-only file systems. */
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Pod } from "../../kube/types.ts";
import { WHOLE_MS } from "./lib/group.ts";
import { test } from "./lib/scenario.ts";
import { messageOf, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 1, sentinels: 2 };
/** Of the kind that OpenShift gives to a namespace: no image knows this user. */
const RANDOM_USER = 1_000_650_000;

const RULES = `
apiVersion: v1
kind: ResourceQuota
metadata: { name: all-must-say }
spec:
  hard: { requests.cpu: "4", requests.memory: 4Gi, limits.cpu: "16", limits.memory: 4Gi }
---
# Cpu limits come from here: none is injected, because a throttled sentinel stalls.
apiVersion: v1
kind: LimitRange
metadata: { name: bounds }
spec:
  limits:
    - type: Container
      min: { cpu: 5m, memory: 8Mi }
      max: { cpu: "4", memory: 1Gi }
      default: { cpu: "2", memory: 256Mi }
`;

const group = (security: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: cache }
spec:
  replicas: 2
  selector: { matchLabels: { app: cache } }
  template:
    metadata:
      labels: { app: cache }
      annotations: { redis-ha.io/cluster: cache }
    spec:
      imagePullSecrets: [{ name: somewhere }]
      securityContext: ${security}
      containers:
        - name: redis
          image: docker.io/library/redis:7
          imagePullPolicy: IfNotPresent
          resources: { requests: { cpu: 50m, memory: 64Mi }, limits: { memory: 128Mi } }
          securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: [ALL] } }
          volumeMounts: [{ name: data, mountPath: /data }]
      volumes: [{ name: data, emptyDir: {} }]
`;

test("a group runs under restricted Pod Security, a quota, limits, and a random user without a name", async ({ bed, space }) => {
  const labels = { "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "latest" };
  await bed.kube.mergePatch(`/api/v1/namespaces/${space.namespace}`, { metadata: { labels } });
  await space.apply({ yaml: RULES });
  const security = `{ runAsNonRoot: true, runAsUser: ${RANDOM_USER}, fsGroup: ${RANDOM_USER}, seccompProfile: { type: RuntimeDefault } }`;
  await space.apply({ yaml: group(security) });
  await waitUntil("a whole group", WHOLE_MS, async () => {
    const { items } = await bed.kube.list<{ reason?: string; message?: string }>(PATH.events(space.namespace));
    const refused = items.find(({ reason }) => reason === "FailedCreate");
    return await space
      .group()
      .whole(EXPECTED)
      .catch((error: unknown) => {
        throw new Error(`${messageOf(error)}${refused === undefined ? "" : `; ${refused.message}`}`);
      });
  });
  for (const { spec } of await space.group().pods()) {
    expect(spec).toMatchObject({ imagePullSecrets: [{ name: "somewhere" }] });
    for (const { name, resources } of [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])] as Container[]) {
      expect(resources?.requests, name).toMatchObject({ cpu: expect.any(String), memory: expect.any(String) });
      expect(resources?.limits, name).toMatchObject({ memory: expect.any(String) });
    }
  }
});

interface Container {
  readonly name: string;
  readonly resources?: { readonly requests?: object; readonly limits?: object };
}

test("a pod on the host's network is refused by the real API server with the reason", async ({ bed, space }) => {
  const pod = {
    metadata: { name: "host", annotations: { "redis-ha.io/cluster": "cache" } },
    spec: { hostNetwork: true, containers: [{ name: "redis", image: "docker.io/library/redis:7" }] },
  };
  const refusal = await bed.kube.create<Pod>(PATH.pods(space.namespace), pod).then(() => "created", messageOf);
  expect(refusal).toContain("spec.hostNetwork: true is not allowed");
});
