import { expect } from "vitest";
import { REDIS_PORT } from "../../model/names.ts";
import { signal } from "./lib/bed.ts";
import { underFault, verdict } from "./lib/fault.ts";
import { type Group, WHOLE_MS } from "./lib/group.ts";
import { test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };

const OWN_CONFIG = `
apiVersion: v1
kind: ConfigMap
metadata: { name: cache-config }
data:
  redis.conf: |
    # a user's own file
    maxmemory-policy allkeys-lru
    slowlog-max-len 7
    save ""
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: cache }
spec:
  replicas: 3
  selector: { matchLabels: { app: cache } }
  template:
    metadata:
      labels: { app: cache }
      annotations: { redis-ha.io/cluster: cache }
    spec:
      containers:
        - name: redis
          image: docker.io/library/redis:7
          imagePullPolicy: IfNotPresent
          args: [/etc/redis/redis.conf, --appendonly, "yes", --maxmemory, 100mb]
          ports: [{ containerPort: 6379 }]
          volumeMounts: [{ name: config, mountPath: /etc/redis }]
      volumes: [{ name: config, configMap: { name: cache-config } }]
`;

const IN_FORCE = {
  appendonly: "yes",
  maxmemory: String(100 * 1024 * 1024),
  "maxmemory-policy": "allkeys-lru",
  "slowlog-max-len": "7",
  save: "",
};

async function settings(group: Group, ip: string): Promise<Record<string, string>> {
  const reply = await group.client.command(await group.at(ip, REDIS_PORT), "CONFIG", "GET", ...Object.keys(IN_FORCE));
  const list = reply as string[];
  return Object.fromEntries(list.flatMap((name, index) => (index % 2 === 0 ? [[name, list[index + 1] ?? ""]] : [])));
}

test("a user's redis.conf and args are in force on every pod, also after a failover", async ({ bed, space }) => {
  const group = space.group();
  await space.apply({ yaml: OWN_CONFIG });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  for (const { ip } of await group.redises()) expect(await settings(group, ip)).toEqual(IN_FORCE);
  await space.client.startWriters(await group.throughService());
  await underFault(group, "kill -9", EXPECTED, async (pod) => {
    await signal(bed, space.namespace, pod, "redis", "SIGKILL");
  });
  for (const { ip } of await group.redises()) expect(await settings(group, ip)).toEqual(IN_FORCE);
  expect((await verdict(group)).missing).toBeLessThanOrEqual(8);
});
