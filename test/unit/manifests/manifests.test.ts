import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { V1ClusterRole, V1Deployment, V1PolicyRule } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { PATH } from "../../../kube/paths.ts";
import type { KubeObject } from "../../../kube/types.ts";

const ROOT = join(import.meta.dirname, "../../..");
const text = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const documents = (path: string): KubeObject[] => parseAllDocuments(text(path)).map((one) => one.toJS() as KubeObject);
const base = (): KubeObject[] => {
  const { resources } = parse(text("manifests/base/kustomization.yaml")) as { resources: string[] };
  return resources.flatMap((file) => documents(`manifests/base/${file}`));
};
const one = <T>(kind: string): T => {
  const found = base().filter((object) => object.kind === kind);
  expect(found.length, kind).toBe(1);
  return found[0] as T;
};

describe("base", () => {
  test("lists every file of the folder", () => {
    const { resources } = parse(text("manifests/base/kustomization.yaml")) as { resources: string[] };
    const files = globSync("*.yaml", { cwd: join(ROOT, "manifests/base") }).filter((file) => file !== "kustomization.yaml");
    expect(resources.toSorted()).toEqual(files.toSorted());
  });

  test("every object of a namespace is in ours", () => {
    const ofCluster = ["Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "MutatingWebhookConfiguration"];
    for (const { kind = "", metadata } of base()) {
      expect([kind, metadata?.namespace]).toEqual([kind, ofCluster.includes(kind) ? undefined : "redis-ha-system"]);
    }
  });

  test("Service, Deployment and budget select the same pods, and the Service's port exists", () => {
    const deployment = one<V1Deployment>("Deployment");
    const labels = deployment.spec?.template.metadata?.labels;
    expect(deployment.spec?.selector.matchLabels).toEqual(labels);
    const service = one<{ spec: { selector: object; ports: { targetPort: string }[] } }>("Service");
    expect(service.spec.selector).toEqual(labels);
    expect(one<{ spec: { selector: { matchLabels: object } } }>("PodDisruptionBudget").spec.selector.matchLabels).toEqual(labels);
    const ports = deployment.spec?.template.spec?.containers[0]?.ports?.map(({ name }) => name);
    expect(ports).toContain(service.spec.ports[0]?.targetPort);
  });

  test("the Deployment meets the restricted Pod Security standard of its namespace", () => {
    const spec = one<V1Deployment>("Deployment").spec?.template.spec;
    expect(spec?.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
    for (const container of spec?.containers ?? []) {
      expect(container.securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      expect(container.resources?.requests).toMatchObject({ cpu: expect.any(String), memory: expect.any(String) });
      expect(container.resources?.limits).not.toHaveProperty("cpu");
    }
  });

  test("the grace period covers the preStop sleep, the drain and what is in flight", () => {
    const spec = one<V1Deployment>("Deployment").spec?.template.spec as unknown as {
      terminationGracePeriodSeconds: number;
      containers: { lifecycle: { preStop: { sleep: { seconds: number } } } }[];
    };
    expect(spec.terminationGracePeriodSeconds).toBeGreaterThan((spec.containers[0]?.lifecycle.preStop.sleep.seconds ?? 0) + 20);
  });
});

describe("RBAC", () => {
  const rules = (kind: string): V1PolicyRule[] => one<V1ClusterRole>(kind).rules ?? [];
  const granted = new Set([...rules("ClusterRole"), ...rules("Role")].flatMap((rule) => rule.resources ?? []));
  const used = new Set(
    // Of cli/ only the server: the commands for people use the rights of the person.
    ["handlers/**", "certs/**", "kube/**", "webhook/**", "cli/serve*", "report/**"].flatMap((files) =>
      globSync(files.endsWith("**") ? `${files}/*.ts` : `${files}.ts`, { cwd: ROOT }).flatMap((file) =>
        [...text(file).matchAll(/\bPATH\.(\w+)\(/g)].map(([, name]) => resourceOf(name as keyof typeof PATH)),
      ),
    ),
  );

  test("covers every resource that the sources name, and no other", () => {
    expect([...granted].filter((resource) => resource !== "pods/status").toSorted()).toEqual([...used].toSorted());
  });

  test("grants no wildcard, no escalation, and no reading of all Secrets", () => {
    for (const { resources, verbs, resourceNames } of [...rules("ClusterRole"), ...rules("Role")]) {
      expect([...(resources ?? []), ...verbs]).not.toContain("*");
      for (const verb of ["delete", "deletecollection", "escalate", "bind", "impersonate"]) expect(verbs).not.toContain(verb);
      if (resources?.includes("secrets") && !resourceNames) expect(verbs).not.toContain("list");
    }
  });
});

describe("overlays/default", () => {
  test("names both images with the same version as package.json", () => {
    const { version } = parse(text("package.json")) as { version: string };
    const overlay = text("manifests/overlays/default/kustomization.yaml");
    expect(overlay).toContain(`newTag: ${version}`);
    expect(overlay).toContain(`redis-ha-boot:${version}`);
  });
});

describe("examples", () => {
  test("three-deployments.yaml is the three files", () => {
    const parts = ["first", "sentinel", "replica"].flatMap((name) =>
      documents(`manifests/examples/three-deployments/${name}.yaml`),
    );
    expect(documents("manifests/examples/three-deployments.yaml")).toEqual(parts);
  });

  test.each(globSync("manifests/examples/**/*.yaml", { cwd: ROOT }))("%s is plain but for our annotations", (file) => {
    for (const object of documents(file) as V1Deployment[]) {
      if (object.kind === "Service") continue;
      const template = object.spec?.template;
      expect(object.metadata?.annotations).toBeUndefined();
      expect(Object.keys(template?.metadata?.annotations ?? {})).toContain("redis-ha.io/cluster");
      expect(template?.metadata?.labels).toEqual(object.spec?.selector.matchLabels);
      expect(template?.spec?.containers.length).toBe(1);
    }
  });
});

/** The plural in a path of PATH. */
function resourceOf(name: keyof typeof PATH): string {
  const path: string = PATH[name]();
  return path.split("/").at(-1) ?? "";
}
