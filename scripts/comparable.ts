/** Kubernetes objects in a form in which those of different tools can be compared. */
import type { KubeObject } from "../kube/types.ts";

/** By kind and name; variables and keys in the order of their names, and expressions without line breaks, which kustomize writes anew. */
export function comparable(objects: readonly KubeObject[]): Map<string, unknown> {
  const even = (key: string, value: unknown): unknown => {
    if (key === "env" && Array.isArray(value))
      return value.toSorted((a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1));
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return Object.fromEntries(Object.entries(value).toSorted());
    return typeof value === "string" ? value.replaceAll(/\s+/g, " ").trim() : value;
  };
  return new Map(
    objects
      .map((object) => [`${object.kind} ${object.metadata?.name}`, JSON.parse(JSON.stringify(object, even)) as unknown] as const)
      .toSorted(),
  );
}
