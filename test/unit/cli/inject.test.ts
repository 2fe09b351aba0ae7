import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { diffLines } from "../../../cli/inject/diff.ts";
import { itemsOf } from "../../../cli/inject/documents.ts";
import { explainObject, explainPod, renderExplanation } from "../../../cli/inject/explain.ts";
import { annotationsOf, injectText, uninjectText } from "../../../cli/inject/rewrite.ts";
import { uninject } from "../../../cli/inject/uninject.ts";
import { PLAIN } from "../../../cli/paper.ts";
import { asObject, at, type JsonObject, objects } from "../../../webhook/json.ts";
import { apply, contextAt, injected, redisPod, yaml } from "../webhook/support.ts";

const context = contextAt();
const source = (text: string) => ({ name: "test.yaml", text });
const inject = (text: string, wish = {}) => injectText(source(text), { annotations: {}, full: false, ...wish }, context);

const DEPLOYMENT = `# The cache of the shop.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cache # the name that clients know
spec:
  replicas: 3
  selector: {matchLabels: {app: cache}}
  template:
    metadata:
      labels: {app: cache}
    spec:
      containers:
      - name: redis
        image: "redis:7"   # stock
        args: ['--maxmemory', '100mb']
`;
const OTHERS = `---
apiVersion: v1
kind: Service
metadata:   {name: other}   # oddly written, and nobody's business
spec:
      ports: [ {port: 80} ]
---
kind: ConfigMap
data: {a: 'b'}
`;

describe("inject", () => {
  const wish = { annotations: annotationsOf("cache", ["down-after=5s"]) };

  test("writes the annotations; comments, order, quotes and other documents stay to the byte", () => {
    const { text, errors, notes } = inject(DEPLOYMENT + OTHERS, wish);
    expect(errors).toEqual([]);
    const lines = text.split("\n");
    const added = ["      annotations:", "        redis-ha.io/cluster: cache", "        redis-ha.io/down-after: 5s"];
    expect(lines.filter((line) => !`${DEPLOYMENT}${OTHERS}`.split("\n").includes(line))).toEqual([
      ...added,
      `        image: "redis:7" # stock`,
    ]);
    expect(text.endsWith(OTHERS)).toBe(true);
    expect(notes).toEqual(["Deployment cache: annotated; the webhook does the rest when its pods are made"]);
  });

  test("twice is the same as once", () => {
    const once = inject(DEPLOYMENT, wish).text;
    expect(inject(once, wish).text).toBe(once);
    expect(inject(once).text).toBe(once);
  });

  test.each([2, 4])("an indent of %i is kept", (indent) => {
    const wide = stringify(parse(DEPLOYMENT), { indent });
    const { text } = inject(wide, wish);
    expect(text).toContain(`\n${" ".repeat(indent)}replicas: 3\n`);
    expect(inject(text, wish).text).toBe(text);
  });

  test("answers a mistake as the webhook does, and gives no YAML that would be denied", () => {
    const { errors } = inject(DEPLOYMENT, { annotations: annotationsOf("Not_A_Label", ["quorum=0"]) });
    expect(errors.join("\n")).toMatch(/Deployment cache: redis-ha.io\/cluster: "Not_A_Label" is not allowed/);
    expect(errors.join("\n")).toContain("redis-ha.io/quorum");
  });

  test("an object that asks for nothing is left alone, and that is said", () => {
    const { text, notes } = inject(DEPLOYMENT);
    expect(text).toBe(DEPLOYMENT);
    expect(notes).toEqual(["Deployment cache: left alone, it asks for nothing (--cluster NAME makes it a group)"]);
  });

  test("wishes on the workload itself are copied into its template, as the webhook does it", () => {
    const { text } = inject(
      DEPLOYMENT.replace("  name: cache #", "  annotations: {redis-ha.io/cluster: cache}\n  name: cache #"),
    );
    expect(at(parse(text), "spec", "template", "metadata", "annotations")).toEqual({ "redis-ha.io/cluster": "cache" });
  });

  test("--full puts in what the webhook puts in, but for what is each pod's own", () => {
    const text = inject(DEPLOYMENT, { ...wish, full: true }).text;
    const template = asObject(at(parse(text), "spec", "template")) ?? {};
    const wanted = injected({ ...template, spec: at(parse(DEPLOYMENT), "spec", "template", "spec") });
    expect(at(template, "spec")).toEqual(at(wanted, "spec"));
    expect(at(template, "metadata", "labels")).not.toHaveProperty(["redis-ha.io/instance"]);
    expect(at(template, "metadata", "annotations")).not.toHaveProperty(["redis-ha.io/status"]);
    expect(text).toContain("# The cache of the shop.");
  });

  test("a setting that does not exist is told with the nearest one", () => {
    expect(() => annotationsOf(undefined, ["down-aftr=5s"])).toThrow("did you mean down-after?");
  });

  test("text that is no YAML is told with its line", () => {
    expect(() => inject("a: [1\nb: 2")).toThrow(/test\.yaml is no YAML: .*line/s);
  });
});

const folder = new URL("../webhook/fixtures/", import.meta.url);
const fixtures = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

/** The pod as a person wrote it, without our annotations and labels; null counts as absent. */
function plain(pod: JsonObject): unknown {
  const copy = structuredClone(pod) as { metadata?: Record<string, Record<string, string> | undefined> };
  for (const map of ["annotations", "labels"]) {
    const kept = Object.entries(copy.metadata?.[map] ?? {}).filter(([key]) => !key.startsWith("redis-ha.io/"));
    if (copy.metadata !== undefined) copy.metadata[map] = kept.length === 0 ? undefined : Object.fromEntries(kept);
  }
  const words = objects(at(copy, "spec", "containers")).map(({ object }) => object as { command?: string[]; args?: string[] });
  for (const container of words) {
    if (container.command == null || container.args == null) continue;
    container.command = [...container.command, ...container.args];
    delete container.args;
  }
  return JSON.parse(JSON.stringify(copy, (_, value: unknown) => (value === null ? undefined : value)));
}

describe("uninject", () => {
  test.each(fixtures)("gives back the pod of fixtures/%s", (name) => {
    const pod = yaml(readFileSync(new URL(name, folder), "utf8"));
    const { operations, warnings } = uninject(injected(pod));
    // The command of a sentinel's own container is replaced, and lost: that is said.
    if (warnings.length > 0) expect(["role-sentinel.yaml", "tls-sentinel.yaml"]).toContain(name);
    else expect(plain(apply(injected(pod), { operations }))).toEqual(plain(pod));
  });

  test("what the user set beside ours stays: probes, hooks, passwords, volumes", () => {
    const own: JsonObject = {
      containers: [
        {
          name: "redis",
          image: "redis:7",
          env: [{ name: "REDISCLI_AUTH", value: "mine" }],
          readinessProbe: { exec: { command: ["redis-cli", "ping"] } },
          lifecycle: { preStop: { exec: { command: ["mine"] } }, postStart: { exec: { command: ["mine"] } } },
        },
        {
          name: "exporter",
          image: "exporter",
          startupProbe: { tcpSocket: { port: 6379 }, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 600 },
        },
      ],
    };
    const pod = redisPod({ cluster: "cache", container: "redis" }, own);
    const back = apply(injected(pod), uninject(injected(pod)));
    expect(at(back, "spec")).toEqual(own);
  });

  test("of a file: the workload's own wishes go too, else the webhook would copy them again", () => {
    const text = inject(DEPLOYMENT.replace("  name: cache #", "  annotations: {redis-ha.io/cluster: cache}\n  name: cache #"), {
      full: true,
    }).text;
    const back = uninjectText(source(text));
    expect(back.text).not.toContain("redis-ha");
    expect(parse(back.text)).toEqual(parse(DEPLOYMENT));
    expect(back.text).toContain("# The cache of the shop.");
  });

  test("a plain file stays as it is", () => {
    expect(uninjectText(source(DEPLOYMENT + OTHERS)).text).toBe(DEPLOYMENT + OTHERS);
  });
});

describe("explain", () => {
  const style = { diff: false, settings: false };

  test("of a file: each part with its reason", () => {
    const [item] = itemsOf(source(inject(DEPLOYMENT, { annotations: annotationsOf("cache", []) }).text));
    if (item?.shape === undefined) throw new Error("no shape");
    const lines = renderExplanation(explainObject(item.object, item.what, item.shape, context), style, PLAIN);
    for (const part of ["identity", "boot", "sentinel", "command", "environment", "probes", "preStop", "gate"])
      expect(
        lines.some((line) => line.startsWith(`  ${part}  `)),
        part,
      ).toBe(true);
    expect(lines).toContain("    REDIS_HA_CLUSTER=cache");
  });

  test("of a living pod: what was put in is told by taking it out again", () => {
    const pod = { ...injected(redisPod()), status: { phase: "Running" } };
    const explanation = explainPod(pod);
    expect(explanation.heading).toContain("injected by version 0.1.0 at 2026-11-22T12:00:00.000Z");
    const text = renderExplanation(explanation, { diff: true, settings: true }, PLAIN).join("\n");
    expect(text).toContain("+     - name: redis-ha-boot");
    expect(text).toContain("redis-ha.io/cluster: cache");
    expect(text).toContain("redis-ha.io/down-after: (default) 5s");
    expect(explanation.operations.every(({ op }) => op === "add" || op === "replace")).toBe(true);
  });

  test("of a pod that was not injected", () => {
    expect(explainPod(redisPod()).heading).toContain("not injected");
  });
});

describe("the difference of two texts", () => {
  test("shows changes with two lines around, and nothing for equal texts", () => {
    const before = ["a", "b", "c", "d", "e", "f", "g"].join("\n");
    const after = ["a", "b", "c", "x", "e", "f", "g"].join("\n");
    expect(diffLines(before, after).map(({ mark, text }) => mark + text)).toEqual([
      "@…",
      " b",
      " c",
      "-d",
      "+x",
      " e",
      " f",
      "@…",
    ]);
    expect(diffLines(before, before)).toEqual([]);
  });
});
