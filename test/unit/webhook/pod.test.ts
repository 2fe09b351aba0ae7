import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ANNOTATION, LABEL, MARK } from "../../../model/names.ts";
import { parseSettings } from "../../../model/settings.ts";
import { injectConfig } from "../../../webhook/config.ts";
import { injectPod } from "../../../webhook/inject/pod.ts";
import { at, type JsonObject, named, stringMap } from "../../../webhook/json.ts";
import { apply, contextAt, injected, NOW, redisPod, yaml } from "./support.ts";

interface Refused {
  readonly name: string;
  readonly pod: JsonObject;
  readonly errors: readonly string[];
}

const refused = parse(readFileSync(new URL("refused.yaml", import.meta.url), "utf8")) as Refused[];

describe("refused", () => {
  test.each(refused)("$name", ({ pod, errors }) => {
    const result = injectPod(pod, contextAt());
    expect(result.errors).toEqual(errors);
    expect(result.operations).toEqual([]);
  });
});

describe("left alone", () => {
  test.each([
    ["nothing of ours", { metadata: { annotations: { "example.com/a": "b" }, labels: { app: "x" } } }, "not-annotated"],
    ["no metadata", { spec: {} }, "not-annotated"],
    ["no object", null, "not-annotated"],
    [
      "a mirror pod",
      { metadata: { annotations: { [ANNOTATION.cluster]: "c", "kubernetes.io/config.mirror": "x" } } },
      "mirror-pod",
    ],
  ])("%s", (_name, pod, skipped) => {
    expect(injectPod(pod, contextAt())).toEqual({
      operations: [],
      warnings: [],
      errors: [],
      auditAnnotations: { skipped },
      skipped,
    });
  });
});

describe("identity", () => {
  const labelsOf = (pod: JsonObject) => stringMap(at(pod, "metadata", "labels"));
  const annotationsOf = (pod: JsonObject) => stringMap(at(pod, "metadata", "annotations"));

  test("instance labels are random, of ten letters and digits", () => {
    const seen = new Set<string>();
    for (let count = 0; count < 1_000; count++) {
      const instance = labelsOf(injected(redisPod(), contextAt(NOW, Math.random)))[LABEL.instance] ?? "";
      expect(instance).toMatch(/^[a-z0-9]{10}$/);
      seen.add(instance);
    }
    expect(seen.size).toBe(1_000);
  });

  test("a copy of a live pod gets an identity and a slot of its own", () => {
    const live = injected(
      redisPod(),
      contextAt(NOW - 3_600_000, () => 0),
    );
    const copy = structuredClone(live) as { metadata: { annotations: Record<string, string>; labels: Record<string, string> } };
    copy.metadata.annotations[MARK.sentinelSlot] = "1";
    copy.metadata.labels[LABEL.role] = "replica";
    const result = injected(
      copy as unknown as JsonObject,
      contextAt(NOW, () => 0.5),
    );
    expect(labelsOf(result)[LABEL.instance]).toBe("ssssssssss");
    expect(annotationsOf(result)[MARK.sentinelSlot]).toBeUndefined();
    expect(annotationsOf(result)[MARK.status]).toContain("2026-11-22T12:00:00");
    // nothing else was due
    const paths = injectPod(
      copy,
      contextAt(NOW, () => 0.5),
    ).operations.map(({ path }) => path);
    expect(paths).toEqual([
      "/metadata/annotations/redis-ha.io~1status",
      "/metadata/annotations/redis-ha.io~1sentinel-slot",
      "/metadata/labels/redis-ha.io~1instance",
    ]);
  });

  test("a template that carries the marks but not the parts is injected fully", () => {
    const pod = redisPod({ cluster: "cache", status: JSON.stringify({ at: new Date(NOW).toISOString() }) });
    (pod.metadata as { labels: object }).labels = { [LABEL.instance]: "0123456789" };
    const result = injected(pod);
    expect(labelsOf(result)[LABEL.instance]).toBe("aaaaaaaaaa");
    expect(named(at(result, "spec", "initContainers"), "redis-ha-boot")).toBeDefined();
  });

  test("a copy is brought up to date: image, group and slot of an older version do not stay", () => {
    const old = injected(redisPod(), { ...contextAt(NOW - 3_600_000), config: injectConfig("0.0.9") });
    (old.metadata as { annotations: Record<string, string> }).annotations[ANNOTATION.cluster] = "queue";
    (old.metadata as { labels: Record<string, string> }).labels[LABEL.cluster] = "queue";
    const pod = injected(old);
    expect(named(at(pod, "spec", "initContainers"), "redis-ha-boot")?.object.image).toBe("redis-ha-boot:0.1.0");
    for (const list of ["containers", "initContainers"]) {
      const container = named(at(pod, "spec", list), list === "containers" ? "redis" : "redis-ha-sentinel")?.object;
      expect(named(container?.env, "REDIS_HA_CLUSTER")?.object.value).toBe("queue");
    }
  });

  test("a copy with another role loses the parts of the former one", () => {
    const old = injected(redisPod(), contextAt(NOW - 3_600_000));
    (old.metadata as { annotations: Record<string, string> }).annotations[ANNOTATION.role] = "sentinel";
    const pod = injected(old);
    expect(labelsOf(pod)[LABEL.redis]).toBeUndefined();
    expect(named(at(pod, "spec", "initContainers"), "redis-ha-sentinel")).toBeUndefined();
    expect(named(at(pod, "spec", "containers"), "redis")?.object.command).toEqual(["/redis-ha/bin/sentinel"]);
  });

  test("the handlers read the same settings from the injected pod, whatever its role label says later", () => {
    const pod = redisPod({ role: "master" });
    (pod.metadata as { labels: object }).labels = { [LABEL.cluster]: "cache" };
    const live = injected(pod);
    const read = parseSettings(annotationsOf(live), { ...labelsOf(live), [LABEL.role]: "replica" });
    expect(read.errors).toEqual([]);
    expect(read.settings).toMatchObject({ cluster: "cache", role: "master", container: "redis" });
  });
});

describe("which container", () => {
  test.each([
    ["the only one", {}, ["server"], "server"],
    ["the one named redis", {}, ["exporter", "redis"], "redis"],
    ["the one named valkey", {}, ["valkey", "exporter"], "valkey"],
    ["the annotated one", { container: "b" }, ["a", "b"], "b"],
    ["the only one beside a mesh", {}, ["server", "istio-proxy", "vault-agent"], "server"],
    ["the one named sentinel for role sentinel", { role: "sentinel" }, ["exporter", "sentinel"], "sentinel"],
  ])("%s", (_name, annotations, names, chosen) => {
    const containers = names.map((name) => ({ name, image: "x" }));
    const pod = injected(redisPod({ cluster: "cache", ...annotations }, { containers }));
    expect(stringMap(at(pod, "metadata", "annotations"))[ANNOTATION.container]).toBe(chosen);
    const script = "role" in annotations ? "/redis-ha/bin/sentinel" : "/redis-ha/bin/redis";
    for (const name of names) {
      expect(named(at(pod, "spec", "containers"), name)?.object.command).toEqual(name === chosen ? [script] : undefined);
    }
  });
});

describe("command forms", () => {
  test.each([
    ["nothing", {}, undefined, undefined],
    ["args", { args: ["--appendonly", "yes"] }, ["--appendonly", "yes"], undefined],
    ["command", { command: ["redis-server", "/etc/redis.conf"] }, ["redis-server", "/etc/redis.conf"], "yes"],
    ["both", { command: ["sh", "-c"], args: ["exec redis-server"] }, ["sh", "-c", "exec redis-server"], "yes"],
    [
      "an entrypoint given",
      { command: ["docker-entrypoint.sh"], args: ["redis-server"] },
      ["docker-entrypoint.sh", "redis-server"],
      "yes",
    ],
  ])("%s", (_name, given, args, flag) => {
    const pod = injected(redisPod(undefined, { containers: [{ name: "redis", image: "redis:7", ...given }] }));
    const container = named(at(pod, "spec", "containers"), "redis")?.object;
    expect(container?.command).toEqual(["/redis-ha/bin/redis"]);
    expect(container?.args).toEqual(args);
    expect(named(container?.env, "REDIS_HA_COMMAND_GIVEN")?.object.value).toBe(flag);
  });
});

describe("warnings", () => {
  test.each([
    ["a short grace period", {}, { terminationGracePeriodSeconds: 5 }, "terminationGracePeriodSeconds 5 may be too short"],
    [
      "an own preStop",
      {},
      { containers: [{ name: "redis", image: "x", lifecycle: { preStop: { sleep: {} } } }] },
      "own preStop hook is kept",
    ],
    [
      "an own exec probe",
      {},
      { containers: [{ name: "redis", image: "x", livenessProbe: { exec: { command: ["x"] } } }] },
      "LOADING and MASTERDOWN",
    ],
    ["an unknown key", { quorm: "2" }, {}, "did you mean redis-ha.io/quorum?"],
    ["no password", { auth: "none" }, {}, "redis-ha.io/auth: none"],
  ])("%s", (_name, annotations, spec, text) => {
    const { warnings, errors } = injectPod(redisPod({ cluster: "cache", ...annotations }, spec), contextAt());
    expect(errors).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining(text)]);
    expect(warnings[0]?.length).toBeLessThanOrEqual(120);
  });
});

test("the installation's choices: image, resources, pull secrets, user left to the platform", () => {
  const config = injectConfig("0.1.0", {
    bootImage: "registry.example.com/boot:1",
    bootImagePullPolicy: "Always",
    bootPullSecrets: ["registry", "second"],
    sentinelResources: { requests: { cpu: "50m" } },
    sentinelUser: "platform",
  });
  const pod = injected(redisPod(undefined, { imagePullSecrets: [{ name: "registry" }] }), { ...contextAt(), config });
  expect(at(pod, "spec", "imagePullSecrets")).toEqual([{ name: "registry" }, { name: "second" }]);
  const [boot, sentinel] = ["redis-ha-boot", "redis-ha-sentinel"].map(
    (name) => named(at(pod, "spec", "initContainers"), name)?.object,
  );
  expect(boot).toMatchObject({ image: "registry.example.com/boot:1", imagePullPolicy: "Always" });
  expect(sentinel?.resources).toEqual({ requests: { cpu: "50m" } });
  expect(at(sentinel, "securityContext", "runAsUser")).toBeUndefined();
});

test("the user of the redis container is the sentinel's too", () => {
  const containers = [{ name: "redis", image: "x", securityContext: { runAsUser: 1234 } }];
  const pod = injected(redisPod(undefined, { securityContext: { runAsUser: 5 }, containers }));
  expect(at(named(at(pod, "spec", "initContainers"), "redis-ha-sentinel")?.object, "securityContext", "runAsUser")).toBe(1234);
});

test("no patch is half: an error leaves no operations", () => {
  const pod = yaml("{metadata: {annotations: {redis-ha.io/cluster: cache}}, spec: {hostNetwork: true, containers: [{name: a}]}}");
  expect(apply(pod, injectPod(pod, contextAt()))).toEqual(pod);
});
