/** Reviews with anything in any place: what a broken or hostile caller might send. Deterministic: fast-check brings the numbers and shrinks them. */
import fc from "fast-check";
import { ANNOTATION, LABEL, MARK } from "../../../../model/names.ts";
import type { JsonObject } from "../../../../webhook/json.ts";
import { review } from "../review.ts";
import { redisPod } from "../support.ts";

type Tree = null | boolean | number | string | Tree[] | { [key: string]: Tree };

export interface Mutation {
  readonly place: number;
  readonly kind: number;
  readonly value: number;
}

const SETTINGS = { cluster: "cache", quorum: "2", "down-after": "5s", auth: "none", role: "auto" };
const SPEC: JsonObject = {
  terminationGracePeriodSeconds: 30,
  securityContext: { runAsUser: 0, fsGroup: 5 },
  initContainers: [
    { name: "setup", image: "busybox", command: ["sh", "-c", "true"], volumeMounts: [{ name: "data", mountPath: "/data" }] },
  ],
  containers: [
    {
      name: "redis",
      image: "redis:7",
      command: ["redis-server"],
      args: ["/etc/redis.conf"],
      env: [{ name: "TZ", value: "UTC" }],
      ports: [{ containerPort: 6379, name: "redis" }],
      resources: { requests: { cpu: "1", memory: "1Gi" }, limits: { cpu: "1", memory: "1Gi" } },
      lifecycle: { preStop: { sleep: { seconds: 1 } } },
      readinessProbe: { tcpSocket: { port: 6379 } },
      volumeMounts: [{ name: "data", mountPath: "/data" }],
    },
    { name: "exporter", image: "exporter:1", ports: [{ containerPort: 9121 }] },
  ],
  volumes: [{ name: "data", emptyDir: {} }],
  readinessGates: [{ conditionType: "example.com/gate" }],
  imagePullSecrets: [{ name: "pull" }],
};

function workload(kind: string): JsonObject {
  const { metadata, spec } = redisPod(SETTINGS, SPEC);
  const own = {
    name: "cache",
    annotations: { [ANNOTATION.cluster]: "cache", [ANNOTATION.quorum]: "2" },
    labels: { app: "cache" },
  };
  const shape = {
    replicas: 3,
    selector: { matchLabels: { app: "cache" } },
    template: { metadata: metadata ?? {}, spec: spec ?? {} },
  };
  return { apiVersion: "apps/v1", kind, metadata: own, spec: shape };
}

const BASES: readonly string[] = [
  review(redisPod()),
  review(redisPod(SETTINGS, SPEC)),
  review(workload("Deployment")),
  review(workload("StatefulSet"), { operation: "UPDATE", oldObject: workload("StatefulSet") }),
  review(workload("Deployment"), { operation: "UPDATE", oldObject: workload("Deployment"), dryRun: true }),
].map((one) => JSON.stringify(one));

/** Stands for `__proto__` until the text is made: set on an object it would not become a key. */
const PROTO = "@@proto@@";
const KEYS = [
  PROTO,
  "constructor",
  "toString",
  "hasOwnProperty",
  "",
  "a/b~c",
  "length",
  "name",
  "0",
  "-",
  ...Object.values(ANNOTATION),
  ...Object.values(LABEL),
  ...Object.values(MARK),
  "redis-ha.io/",
  "redis-ha.io/clustr",
];
const VALUES: readonly Tree[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  "",
  "x",
  "cache",
  "redis",
  "redis-ha",
  "redis-ha-boot",
  "redis-ha-sentinel",
  "/redis-ha",
  "/redis-ha/bin/redis",
  "9".repeat(400),
  `\u0000${String.fromCharCode(0xd800)}\u{1f4a9}`,
  "é".repeat(5000),
  "5s",
  "secret:a/b",
  "sentinel",
  '{"at":"2026-11-22T12:00:00Z"}',
  [],
  [null],
  [[]],
  ["a", 1, null, {}],
  {},
  { [PROTO]: { polluted: true } },
  { constructor: { prototype: { polluted: true } } },
  { name: "redis" },
  { name: { name: 1 } },
  [{ name: "redis" }, { name: "redis" }],
];

export const mutations: fc.Arbitrary<{ readonly base: number; readonly list: readonly Mutation[] }> = fc.record({
  base: fc.nat(BASES.length - 1),
  list: fc.array(fc.record({ place: fc.nat(100_000), kind: fc.nat(5), value: fc.nat(100_000) }), { minLength: 1, maxLength: 8 }),
});

/** The text of a mutated review. */
export function mutated(base: number, list: readonly Mutation[]): string {
  const root: Tree = JSON.parse(BASES[base] ?? "{}");
  for (const mutation of list) mutate(root, mutation);
  return JSON.stringify(root).replaceAll(PROTO, "__proto__");
}

function mutate(root: Tree, { place, kind, value }: Mutation): void {
  const places: (() => void)[] = [];
  const pick = <T>(list: readonly T[], fallback: T): T => list[value % list.length] ?? fallback;
  const visit = (node: Tree): void => {
    if (Array.isArray(node)) {
      node.forEach((child, index) => {
        places.push(() => {
          if (kind === 0) node.splice(index, 1);
          else if (kind === 1) node.push(structuredClone(child));
          else if (kind === 2) node.reverse();
          else node[index] = structuredClone(pick(VALUES, null));
        });
        visit(child);
      });
    } else if (typeof node === "object" && node !== null) {
      for (const [key, child] of Object.entries(node)) {
        places.push(() => {
          if (kind === 0) delete node[key];
          else if (kind === 1) node[pick(KEYS, "x")] = structuredClone(child);
          else if (kind === 2) node[pick(KEYS, "x")] = structuredClone(pick(VALUES, null));
          else if (kind === 3 && place % 50 === 0) node[key] = nested(1 + (value % 200));
          else node[key] = structuredClone(pick(VALUES, null));
        });
        visit(child);
      }
    }
  };
  visit(root);
  places[place % Math.max(places.length, 1)]?.();
}

function nested(depth: number): Tree {
  let tree: Tree = [];
  for (let level = 0; level < depth; level += 1) tree = level % 2 === 0 ? { metadata: tree } : [tree];
  return tree;
}
