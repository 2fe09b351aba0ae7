/** YAML files of Kubernetes objects: which documents concern us, and where in each the pod is. */
import { readFileSync } from "node:fs";
import { type Document, parseAllDocuments } from "yaml";
import { asObject, at, type JsonObject } from "../../webhook/json.ts";
import { Problem } from "../exit.ts";

export interface Source {
  /** for messages: FILE, or `standard input` */
  readonly name: string;
  readonly text: string;
}

export interface Item {
  readonly document: Document.Parsed;
  readonly object: JsonObject;
  /** `Deployment cache`, for messages */
  readonly what: string;
  /** undefined: nothing that runs pods */
  readonly shape: Shape | undefined;
}

export interface Shape {
  readonly kind: "Pod" | "Workload";
  /** from the object to what injectPod() takes */
  readonly podPath: readonly string[];
}

const WORKLOADS = ["Deployment", "StatefulSet"];
/** They run pods too, but the webhook does not look at the workload, only at each pod. */
const TEMPLATES = ["ReplicaSet", "DaemonSet", "Job"];

/** `-` is standard input. */
export function readSource(file: string): Source {
  try {
    return { name: file === "-" ? "standard input" : file, text: readFileSync(file === "-" ? 0 : file, "utf8") };
  } catch (error) {
    throw new Problem(`${file} cannot be read: ${(error as Error).message}`);
  }
}

/** @throws Problem for text that is no YAML, with the line */
export function itemsOf({ name, text }: Source): Item[] {
  return [...parseAllDocuments(text)].map((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw new Problem(`${name} is no YAML: ${error.message}`);
    const object = asObject(document.toJS()) ?? {};
    const kind = String(object.kind ?? "");
    return {
      document: document as Document.Parsed,
      object,
      what: `${kind || "a document"} ${String(at(object, "metadata", "name") ?? "")}`.trim(),
      shape: shapeOf(kind),
    };
  });
}

function shapeOf(kind: string): Shape | undefined {
  if (kind === "Pod") return { kind: "Pod", podPath: [] };
  return WORKLOADS.includes(kind) || TEMPLATES.includes(kind) ? { kind: "Workload", podPath: ["spec", "template"] } : undefined;
}
