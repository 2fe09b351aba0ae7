/** Bugs that other injectors had (facts: webhook), each tried here. */
import { describe, expect, test } from "vitest";
import { injectPod } from "../../../webhook/inject/pod.ts";
import { at, type JsonObject, objects } from "../../../webhook/json.ts";
import { apply, contextAt, injected, NOW, redisPod } from "./support.ts";

const namesOf = (list: unknown) => objects(list).map(({ object }) => object.name);
const spec = (pod: JsonObject, key: string) => at(pod, "spec", key);

describe("not idempotent (istio#25931, #55691), injected twice (istio#21862)", () => {
  /** What happens to an injected pod before the API server calls us again in the same request. */
  const others: [string, (pod: { spec: Record<string, unknown[]>; metadata: Record<string, Record<string, string>> }) => void][] =
    [
      ["nothing", () => undefined],
      ["a sidecar was added", ({ spec }) => spec.containers?.push({ name: "some-proxy", image: "proxy" })],
      ["a sidecar was put first", ({ spec }) => spec.containers?.unshift({ name: "some-proxy", image: "proxy" })],
      ["an init container was put first", ({ spec }) => spec.initContainers?.unshift({ name: "mesh-init", image: "proxy" })],
      [
        "images were sent to a mirror",
        ({ spec }) => {
          for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
            Object.assign(container as object, { image: `mirror.example.com/${(container as { image: string }).image}` });
          }
        },
      ],
      [
        "resources and security were hardened",
        ({ spec }) => {
          for (const container of spec.initContainers ?? [])
            Object.assign(container as object, { resources: {}, securityContext: { runAsUser: 7 } });
        },
      ],
      [
        "a secret store wrapped the command",
        ({ spec }) => {
          const container = spec.containers?.[0] as { command: string[]; args?: string[] };
          container.args = [...container.command, ...(container.args ?? [])];
          container.command = ["/vault/vault-env"];
        },
      ],
      [
        "labels and annotations were added",
        ({ metadata }) => Object.assign(metadata.labels ?? {}, { "security.istio.io/tlsMode": "istio" }),
      ],
      [
        "the API server filled in defaults",
        ({ spec }) => {
          for (const volume of spec.volumes ?? [])
            if ("downwardAPI" in (volume as object))
              (volume as { downwardAPI: { defaultMode?: number } }).downwardAPI.defaultMode = 420;
          for (const container of spec.containers ?? [])
            Object.assign(container as object, { terminationMessagePath: "/dev/termination-log" });
        },
      ],
    ];

  test.each(others)("%s", (_name, change) => {
    const pod = injected(redisPod());
    change(pod as never);
    expect(injectPod(pod, contextAt()).operations).toEqual([]);
  });

  test("with other luck: the pod keeps the identity of the first call", () => {
    expect(
      injectPod(
        injected(redisPod()),
        contextAt(NOW, () => 0.5),
      ).operations,
    ).toEqual([]);
  });

  test("what another webhook took away is put back, and only that", () => {
    const pod = injected(redisPod()) as unknown as { spec: { volumes: unknown[]; containers: [{ command?: string[] }] } };
    delete pod.spec.containers[0].command;
    pod.spec.volumes.shift();
    const result = injectPod(pod, contextAt());
    expect(result.operations.map(({ path }) => path)).toEqual(["/spec/volumes/-", "/spec/containers/0/command"]);
    expect(injectPod(apply(pod as unknown as JsonObject, result), contextAt()).operations).toEqual([]);
  });
});

test("containers re-sorted (generic-sidecar-injector#22), init containers renamed by a diff", () => {
  const containers = ["zeta", "redis", "alpha"].map((name) => ({ name, image: "x" }));
  const initContainers = ["second", "first"].map((name) => ({ name, image: "x" }));
  const volumes = ["z", "a"].map((name) => ({ name, emptyDir: {} }));
  const pod = redisPod(undefined, { containers, initContainers, volumes });
  const result = injected(pod);
  expect(namesOf(spec(result, "containers"))).toEqual(["zeta", "redis", "alpha"]);
  expect(namesOf(spec(result, "initContainers"))).toEqual(["redis-ha-boot", "redis-ha-sentinel", "second", "first"]);
  expect(namesOf(spec(result, "volumes"))).toEqual(["z", "a", "redis-ha", "redis-ha-pod"]);
  const inits = injectPod(pod, contextAt()).operations.filter(({ path }) => path.startsWith("/spec/initContainers"));
  expect(inits.map(({ op, path }) => `${op} ${path}`)).toEqual(["add /spec/initContainers/0", "add /spec/initContainers/1"]);
});

test("a missing annotations map, and `/` in a key (kubernetes#90623)", () => {
  const pod = { metadata: { labels: { "redis-ha.io/cluster": "cache" } }, spec: { containers: [{ name: "redis", image: "x" }] } };
  const { operations } = injectPod(pod, contextAt());
  expect(operations[0]).toEqual({ op: "add", path: "/metadata/annotations", value: {} });
  expect(operations[1]).toEqual({ op: "add", path: "/metadata/annotations/redis-ha.io~1cluster", value: "cache" });
  expect(() => apply(pod, { operations })).not.toThrow();
});

test("runAsNonRoot kept containers from starting (opentelemetry-operator#2272, #4894)", () => {
  for (const user of [undefined, 0, 1000]) {
    const securityContext = user === undefined ? {} : { runAsUser: user };
    const pod = injected(redisPod(undefined, { securityContext }));
    for (const { object } of objects(spec(pod, "initContainers"))) {
      const own = at(object, "securityContext", "runAsUser") ?? user;
      // the boot image has a number of its own, the user's image may have none
      if (object.name !== "redis-ha-boot" || own !== undefined) expect(own).toBeGreaterThan(0);
    }
  }
});

test("every injected container meets the restricted standard and has requests (vault, dapr)", () => {
  for (const { object } of objects(spec(injected(redisPod()), "initContainers"))) {
    expect(object.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(at(object, "resources", "requests", "cpu")).toEqual(expect.any(String));
    expect(at(object, "resources", "requests", "memory")).toEqual(expect.any(String));
    expect(at(object, "resources", "limits", "cpu")).toBeUndefined();
  }
});

test("init order (linkerd2#1760): what needs the network only tries again, and nothing waits for it", () => {
  const result = injected(redisPod(undefined, { initContainers: [{ name: "linkerd-init", image: "x" }] }));
  const [boot, sentinel] = objects(spec(result, "initContainers")).map(({ object }) => object);
  expect(boot?.restartPolicy).toBeUndefined();
  expect(sentinel).toMatchObject({ restartPolicy: "Always" });
  expect(sentinel?.startupProbe).toBeUndefined();
});

test("a pod made by a controller has no namespace and no name: the request's counts (istio#3716)", () => {
  const env = at(objects(spec(injected(redisPod()), "containers"))[0]?.object, "env");
  expect(objects(env).find(({ object }) => object.name === "REDIS_HA_MASTER_NAME")?.object.value).toBe("shop.cache");
});

test("fields of a newer Kubernetes survive, such as gRPC probes once were (gardener/apiserver-proxy#26)", () => {
  const later = { grpc: { port: 6379, service: null }, someLaterField: { deep: [1, { "a/b~c": true }] } };
  const container = { name: "redis", image: "redis:7", readinessProbe: later, resizePolicyOfTomorrow: [later] };
  const pod = redisPod(undefined, { containers: [container], schedulingOfTomorrow: later });
  const result = injected(pod);
  expect(at(result, "spec", "schedulingOfTomorrow")).toEqual(later);
  expect(objects(spec(result, "containers"))[0]?.object).toMatchObject({
    readinessProbe: later,
    resizePolicyOfTomorrow: [later],
  });
});
