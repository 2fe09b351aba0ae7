import { describe, expect, test } from "vitest";
import { TABLE } from "../../../model/annotation-table.ts";
import { ANNOTATION, LABEL, MARK, PREFIX, REQUEST } from "../../../model/names.ts";
import { parseSettings } from "../../../model/settings.ts";

const CLUSTER = { [ANNOTATION.cluster]: "cache" };

describe("defaults", () => {
  test("the cluster's name alone is enough", () => {
    expect(parseSettings(CLUSTER)).toEqual({
      settings: {
        cluster: "cache",
        role: "auto",
        sentinel: "sidecar",
        downAfterMs: 5_000,
        failoverTimeoutMs: 10_000,
        minReplicasMaxLagS: 3,
        networkPolicy: "none",
        disruptionBudget: 1,
        spread: "prefer",
        port: 6379,
        auth: { kind: "generated" },
        promotion: "direct",
        recovery: "auto",
        recoveryWaitMs: 120_000,
      },
      errors: [],
      warnings: [],
    });
  });

  test.each([
    ["auto", "sidecar"],
    ["master", "none"],
    ["replica", "none"],
    ["sentinel", "none"],
  ])("role %s has sentinel %s", (role, sentinel) => {
    expect(parseSettings({ ...CLUSTER, [ANNOTATION.role]: role }).settings).toMatchObject({ role, sentinel });
  });
});

describe("an isolated master stops before another one can be made", () => {
  test.each([
    ["2s", 2],
    ["4s", 2],
    ["5s", 3],
    ["8500ms", 6],
    ["30s", 10],
  ])("down-after %s: after a lag of %i s, unless the annotation says another", (downAfter, lag) => {
    const given = { ...CLUSTER, [ANNOTATION.downAfter]: downAfter };
    expect(parseSettings(given).settings.minReplicasMaxLagS).toBe(lag);
    expect(parseSettings({ ...given, [ANNOTATION.minReplicasMaxLag]: "20s" }).settings.minReplicasMaxLagS).toBe(20);
  });
});

describe("each annotation", () => {
  const allowed: [keyof typeof ANNOTATION, string, object][] = [
    ["cluster", "a", { cluster: "a" }],
    ["cluster", "x".repeat(40), { cluster: "x".repeat(40) }],
    ["role", "master", { role: "master" }],
    ["sentinel", "none", { sentinel: "none" }],
    ["quorum", "2", { quorum: 2 }],
    ["downAfter", "2s", { downAfterMs: 2_000 }],
    ["downAfter", "2500ms", { downAfterMs: 2_500 }],
    ["downAfter", "30000", { downAfterMs: 30_000 }],
    ["failoverTimeout", "1m", { failoverTimeoutMs: 60_000 }],
    ["parallelSyncs", "1", { parallelSyncs: 1 }],
    ["durability", "asynchronous", { minReplicasMaxLagS: 3 }],
    ["durability", "replicated", { minReplicasToWrite: 1, minReplicasMaxLagS: 1 }],
    ["minReplicasToWrite", "0", { minReplicasToWrite: 0 }],
    ["minReplicasMaxLag", "10", { minReplicasMaxLagS: 10 }],
    ["minReplicasMaxLag", "1m", { minReplicasMaxLagS: 60 }],
    ["container", "my-redis-1", { container: "my-redis-1" }],
    ["port", "6380", { port: 6380 }],
    ["auth", "generated", { auth: { kind: "generated" } }],
    ["auth", "none", { auth: { kind: "none" } }],
    ["auth", "secret:my.secret/pass_word-1.txt", { auth: { kind: "secret", name: "my.secret", key: "pass_word-1.txt" } }],
    ["masterService", "redis", { masterService: "redis" }],
    ["promotion", "sentinel", { promotion: "sentinel" }],
    ["recovery", "manual", { recovery: "manual" }],
    ["recoveryWait", "0s", { recoveryWaitMs: 0 }],
    ["priority", "0", { priority: 0 }],
    ["networkPolicy", "labelled", { networkPolicy: "labelled" }],
    ["tls", "secret:cache.tls-1", { tlsSecret: "cache.tls-1" }],
    ["disruptionBudget", "2", { disruptionBudget: 2 }],
    ["disruptionBudget", "none", { disruptionBudget: "none" }],
    ["spread", "require", { spread: "require" }],
    ["expose", "LoadBalancer", { expose: "LoadBalancer" }],
    ["expose", "none", {}],
  ];
  test.each(allowed)("%s: %s", (name, text, expected) => {
    const { settings, errors } = parseSettings({ ...CLUSTER, [ANNOTATION[name]]: text });
    expect(errors).toEqual([]);
    expect(settings).toMatchObject(expected);
  });

  const refused: [keyof typeof ANNOTATION, string][] = [
    ["cluster", ""],
    ["cluster", "Cache"],
    ["cluster", "1cache"],
    ["cluster", "-cache"],
    ["cluster", "cache-"],
    ["cluster", "my.cache"],
    ["cluster", "x".repeat(41)],
    ["cluster", "cache\n"],
    ["role", "slave"],
    ["role", "Master"],
    ["sentinel", "yes"],
    ["quorum", "0"],
    ["quorum", "two"],
    ["quorum", "2.5"],
    ["quorum", "-1"],
    ["downAfter", "1999ms"],
    ["downAfter", "500"],
    ["downAfter", "5 s"],
    ["downAfter", "25h"],
    ["failoverTimeout", "0"],
    ["parallelSyncs", "0"],
    ["durability", "safe"],
    ["minReplicasToWrite", "-1"],
    ["minReplicasMaxLag", "0"],
    ["minReplicasMaxLag", "2500ms"],
    ["container", "my redis"],
    ["port", "0"],
    ["port", "65536"],
    ["port", "06379"],
    ["port", "6378"],
    ["port", "26379"],
    ["auth", "secret"],
    ["auth", "secret:name"],
    ["auth", "secret:Name/key"],
    ["auth", "password123"],
    ["masterService", "my_service"],
    ["masterService", "cache-replicas"],
    ["masterService", "cache-sentinel"],
    ["promotion", "fast"],
    ["recovery", "never"],
    ["recoveryWait", "soon"],
    ["priority", "-1"],
    ["networkPolicy", "yes"],
    ["tls", "yes"],
    ["tls", "cache-tls"],
    ["tls", "secret:cache-tls/tls.crt"],
    ["disruptionBudget", "0"],
    ["spread", "soft"],
    ["expose", "nodeport"],
    ["disruptionBudget", "50%"],
    ["priority", "2147483648"],
  ];
  test.each(refused)("%s: %j is refused and named", (name, text) => {
    const { errors } = parseSettings({ ...CLUSTER, [ANNOTATION[name]]: text });
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(`${ANNOTATION[name]}: ${JSON.stringify(text)}`);
    expect(errors[0]).toContain("; use ");
  });

  test("every row of the table was tried both ways", () => {
    const names = Object.keys(ANNOTATION);
    expect(Object.keys(TABLE)).toEqual(names);
    for (const rows of [allowed, refused]) expect(new Set(rows.map(([name]) => name))).toEqual(new Set(names));
  });

  test("a long value is cut in the message", () => {
    const [error] = parseSettings({ ...CLUSTER, [ANNOTATION.role]: "x".repeat(200_000) }).errors;
    expect(error?.length).toBeLessThan(200);
  });

  test("why a small down-after is refused stands in the message", () => {
    expect(parseSettings({ ...CLUSTER, [ANNOTATION.downAfter]: "1s" }).errors[0]).toContain(
      "takes a new, healthy master for down",
    );
  });
});

test("all errors at once, and defaults stand in", () => {
  const { settings, errors } = parseSettings({
    [ANNOTATION.role]: "boss",
    [ANNOTATION.quorum]: "many",
    [ANNOTATION.port]: "http",
  });
  expect(errors.map((error) => error.split(":")[0])).toEqual([
    `${ANNOTATION.cluster} is missing`,
    ANNOTATION.role,
    ANNOTATION.quorum,
    ANNOTATION.port,
  ]);
  expect(settings).toMatchObject({ cluster: "", role: "auto", port: 6379 });
});

describe("labels", () => {
  test("cluster and role may be labels", () => {
    const { settings, errors } = parseSettings({}, { [LABEL.cluster]: "cache", [LABEL.role]: "sentinel" });
    expect(errors).toEqual([]);
    expect(settings).toMatchObject({ cluster: "cache", role: "sentinel" });
  });

  test("the same in both is fine, different is an error", () => {
    expect(parseSettings(CLUSTER, { [LABEL.cluster]: "cache" }).errors).toEqual([]);
    expect(parseSettings(CLUSTER, { [LABEL.cluster]: "queue" }).errors).toEqual([
      `${ANNOTATION.cluster}: the annotation says "cache", the label of the same name "queue"; remove one of the two`,
    ]);
  });

  test("on a live pod the role label is ours and is not the person's wish", () => {
    const live = { ...CLUSTER, [ANNOTATION.role]: "master", [MARK.status]: "{}" };
    const { settings, errors } = parseSettings(live, { [LABEL.cluster]: "cache", [LABEL.role]: "replica" });
    expect(errors).toEqual([]);
    expect(settings.role).toBe("master");
  });

  test("other settings as labels are pointed out", () => {
    expect(parseSettings(CLUSTER, { [ANNOTATION.quorum]: "2", [LABEL.redis]: "true" }).warnings).toEqual([
      `${ANNOTATION.quorum} has no effect as a label: make it an annotation`,
    ]);
  });
});

describe("durability: replicated", () => {
  const REPLICATED = { ...CLUSTER, [ANNOTATION.durability]: "replicated" };

  test("asks for one replica and the shortest lag, without a warning: it is what was asked for", () => {
    const { settings, errors, warnings } = parseSettings(REPLICATED);
    expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
    expect(settings).toMatchObject({ minReplicasToWrite: 1, minReplicasMaxLagS: 1 });
  });

  test("the single settings still decide where they are given", () => {
    const given = { ...REPLICATED, [ANNOTATION.minReplicasToWrite]: "2", [ANNOTATION.minReplicasMaxLag]: "3s" };
    expect(parseSettings(given).settings).toMatchObject({ minReplicasToWrite: 2, minReplicasMaxLagS: 3 });
  });

  test("no replica at all contradicts it", () => {
    const { errors } = parseSettings({ ...REPLICATED, [ANNOTATION.minReplicasToWrite]: "0" });
    expect(errors).toEqual([
      `${ANNOTATION.minReplicasToWrite}: "0" contradicts ${ANNOTATION.durability}: replicated; use at least 1, or remove one of the two`,
    ]);
  });
});

describe("warnings", () => {
  test.each([
    [{ [`${PREFIX}clustr`]: "x" }, `${PREFIX}clustr is not known: did you mean ${PREFIX}cluster?`],
    [{ [`${PREFIX}downafter`]: "x" }, `${PREFIX}downafter is not known: did you mean ${PREFIX}down-after?`],
    [{ [`${PREFIX}zzzz`]: "x" }, `${PREFIX}zzzz is not an annotation of redis-ha`],
    [{ [`${PREFIX}preferred-node`]: "x" }, `${PREFIX}preferred-node is not yet supported: it has no effect`],
    [{ [REQUEST.handover]: "x" }, `${REQUEST.handover} belongs on the master Service: it has no effect here`],
    [
      { [ANNOTATION.auth]: "none" },
      `${ANNOTATION.auth}: none: a reused pod address can make a foreign server follow this group and lose its data`,
    ],
    [{ [ANNOTATION.failoverTimeout]: "2m" }, `${ANNOTATION.failoverTimeout}: a failed failover is only tried again after 240 s`],
    [
      { [ANNOTATION.minReplicasMaxLag]: "1s" },
      `${ANNOTATION.minReplicasMaxLag}: replicas report once a second; under 2s writes can be refused for no reason`,
    ],
    [
      { [ANNOTATION.role]: "sentinel", [ANNOTATION.sentinel]: "sidecar" },
      `${ANNOTATION.sentinel} is ignored: the role is sentinel`,
    ],
  ])("%j", (annotations, warning) => {
    const { errors, warnings } = parseSettings({ ...CLUSTER, ...annotations });
    expect(errors).toEqual([]);
    expect(warnings).toEqual([warning]);
    expect(warning.length).toBeLessThanOrEqual(120);
  });

  test("keys that we write ourselves and keys of others are left alone", () => {
    const marks = Object.fromEntries(Object.values(MARK).map((key) => [key, "x"]));
    const labels = Object.fromEntries(Object.values(LABEL).map((key) => [key, "cache"]));
    expect(parseSettings({ ...CLUSTER, ...marks, "example.com/role": "x" }, { ...labels, app: "x" }).warnings).toEqual([]);
  });

  test("a very long key still makes a short warning", () => {
    for (const warning of parseSettings({ ...CLUSTER, [`${PREFIX}${"clusterx".repeat(8)}`]: "" }).warnings)
      expect(warning.length).toBeLessThanOrEqual(120);
  });
});

test("prototype keys are plain text", () => {
  const annotations = JSON.parse(`{"__proto__":"x","constructor":"y","${ANNOTATION.cluster}":"cache"}`);
  expect(parseSettings(annotations, JSON.parse('{"__proto__":{}}')).errors).toEqual([]);
});
