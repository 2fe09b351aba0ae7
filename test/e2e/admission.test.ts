import { describe, expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Pod } from "../../kube/types.ts";
import { type Bed, SYSTEM } from "./lib/bed.ts";
import { test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

interface PodOptions {
  readonly name: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly containers?: readonly string[];
}

function pod({ name, annotations = {}, containers = ["redis"] }: PodOptions): object {
  return {
    metadata: { name, annotations },
    spec: {
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      containers: containers.map((container) => ({
        name: container,
        image: "docker.io/library/redis:7",
        imagePullPolicy: "IfNotPresent",
      })),
    },
  };
}

async function create(bed: Bed, namespace: string, options: PodOptions): Promise<Pod> {
  return await bed.kube.create<Pod>(PATH.pods(namespace), pod(options));
}

/** The message with which the API server refuses it. */
async function refusal(bed: Bed, namespace: string, options: PodOptions): Promise<string> {
  try {
    await create(bed, namespace, options);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "created";
}

describe("bad input is denied with all errors at once", () => {
  test("a wrong value", async ({ bed, space }) => {
    const annotations = { "redis-ha.io/cluster": "cache", "redis-ha.io/quorum": "many", "redis-ha.io/down-after": "500ms" };
    const message = await refusal(bed, space.namespace, { name: "wrong", annotations });
    expect(message).toContain('redis-ha.io/quorum: "many" is not allowed; use a whole number');
    expect(message).toContain('redis-ha.io/down-after: "500ms" is not allowed');
  });

  test("two containers and no choice", async ({ bed, space }) => {
    const annotations = { "redis-ha.io/cluster": "cache" };
    const message = await refusal(bed, space.namespace, { name: "two", annotations, containers: ["server", "exporter"] });
    expect(message).toContain("redis-ha.io/container is missing");
    expect(message).toContain("use one of: server, exporter");
  });

  test("a cluster name that is no DNS label, and what else is wrong", async ({ bed, space }) => {
    const annotations = { "redis-ha.io/cluster": "My_Cache", "redis-ha.io/role": "king" };
    const message = await refusal(bed, space.namespace, { name: "name", annotations, containers: ["a", "b"] });
    expect(message).toContain('redis-ha.io/cluster: "My_Cache" is not allowed; use a DNS label');
    expect(message).toContain('redis-ha.io/role: "king" is not allowed');
    expect(message).toContain("redis-ha.io/container is missing");
  });

  test("a Deployment with a wrong value is denied as well, before any pod", async ({ bed, space }) => {
    const metadata = { labels: { app: "cache" }, annotations: { "redis-ha.io/cluster": "cache", "redis-ha.io/role": "king" } };
    const deployment = {
      metadata: { name: "cache" },
      spec: {
        selector: { matchLabels: metadata.labels },
        template: { metadata, spec: { containers: [{ name: "redis", image: "redis:7" }] } },
      },
    };
    await expect(bed.kube.create(PATH.deployments(space.namespace), deployment)).rejects.toThrow(
      /redis-ha.io\/role: "king" is not allowed/,
    );
  });
});

test("an un-annotated pod is never touched; while redis-ha is down it is created, and an annotated one is refused", async ({
  bed,
  space,
}) => {
  const { namespace } = space;
  const plain = await create(bed, namespace, { name: "plain" });
  const wanted = pod({ name: "plain" }) as { spec: { containers: { name: string }[] } };
  expect(plain.spec?.containers.map(({ name }) => name)).toEqual(wanted.spec.containers.map(({ name }) => name));
  expect(plain.spec?.initContainers).toBeUndefined();
  expect(plain.spec?.volumes).toBeUndefined();
  expect(plain.metadata?.labels).toBeUndefined();
  expect(plain.metadata?.annotations).toBeUndefined();

  const annotations = { "redis-ha.io/cluster": "cache" };
  await bed.kubectl(["-n", SYSTEM, "scale", "deployment", "redis-ha", "--replicas=0"]);
  try {
    await waitUntil("redis-ha being gone", 60_000, async () => {
      const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM));
      if (items.length > 0) throw new Error(`${items.length} pods are still there`);
    });
    const unheard = await create(bed, namespace, { name: "plain-2" });
    expect(unheard.spec?.initContainers).toBeUndefined();
    expect(await refusal(bed, namespace, { name: "annotated", annotations })).toMatch(
      /failed calling webhook "pods.redis-ha.io"/,
    );
    const { items } = await bed.kube.list<Pod>(PATH.pods(namespace));
    expect(items.map(({ metadata }) => metadata?.name)).not.toContain("annotated");
  } finally {
    await bed.kubectl(["-n", SYSTEM, "scale", "deployment", "redis-ha", "--replicas=2"]);
    await bed.kubectl(["-n", SYSTEM, "rollout", "status", "deployment/redis-ha", "--timeout=60s"]);
  }
  const injected = await waitUntil(
    "an annotated pod",
    30_000,
    async () => await create(bed, namespace, { name: "annotated", annotations }),
  );
  expect(injected.spec?.initContainers?.map(({ name }) => name)).toContain("redis-ha-boot");
});
