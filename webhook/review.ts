/** The envelope: admission.k8s.io/v1 AdmissionReview, in and out. */
import type { Static } from "typebox";
import { Compile } from "typebox/schema";
import type { Operation } from "./inject/patch.ts";
import type { Json } from "./json.ts";

const group = { type: "string" } as const;
const GROUP_VERSION_KIND = {
  type: "object",
  required: ["group", "version", "kind"],
  properties: { group, version: group, kind: group },
} as const;
const GROUP_VERSION_RESOURCE = {
  type: "object",
  required: ["group", "version", "resource"],
  properties: { group, version: group, resource: group },
} as const;

/** JSON Schema. Strict in what is used, open to fields that later versions add. Plain data: building it from typebox's functions loads all of them. */
const ADMISSION_REVIEW = {
  type: "object",
  required: ["apiVersion", "kind", "request"],
  properties: {
    apiVersion: { const: "admission.k8s.io/v1" },
    kind: { const: "AdmissionReview" },
    request: {
      type: "object",
      required: ["uid", "kind", "resource", "operation"],
      properties: {
        uid: { type: "string", minLength: 1, maxLength: 128 },
        kind: GROUP_VERSION_KIND,
        resource: GROUP_VERSION_RESOURCE,
        subResource: { type: "string" },
        operation: { enum: ["CREATE", "UPDATE", "DELETE", "CONNECT"] },
        namespace: { type: "string", maxLength: 253 },
        name: { type: "string", maxLength: 253 },
        dryRun: { type: "boolean" },
        object: {},
        oldObject: {},
      },
    },
  },
} as const;

const validator = Compile(ADMISSION_REVIEW);

export type ReviewRequest = Static<typeof ADMISSION_REVIEW>["request"];

/** What the admission decided, before it is put into its envelope. */
export interface Verdict {
  readonly operations: readonly Operation[];
  readonly warnings: readonly string[];
  readonly auditAnnotations: Readonly<Record<string, string>>;
  readonly denied?: { readonly code: number; readonly reason: string; readonly message: string };
}

/** The request, or what is wrong with the envelope. */
export function parseReview(body: unknown): ReviewRequest | { readonly problem: string } {
  if (validator.Check(body)) return body.request;
  const [, [first]] = validator.Errors(body);
  const where = first === undefined ? "" : `: ${first.instancePath === "" ? "/" : first.instancePath} ${first.message}`;
  return { problem: `not an AdmissionReview of admission.k8s.io/v1${where.slice(0, 200)}` };
}

/** Kubernetes cuts warnings that are longer. */
const WARNING_LENGTH = 120;
/** In all it takes 4096 characters of warnings. */
const MOST_WARNINGS = 30;

export function answer(uid: string, verdict: Verdict): Json {
  const { denied, operations, warnings, auditAnnotations } = verdict;
  const patch = denied === undefined && operations.length > 0;
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: {
      uid,
      allowed: denied === undefined,
      ...(denied === undefined ? {} : { status: { status: "Failure", ...denied } }),
      ...(patch ? { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(operations)).toString("base64") } : {}),
      ...(warnings.length > 0 ? { warnings: warnings.slice(0, MOST_WARNINGS).map(cut) } : {}),
      auditAnnotations,
    },
  };
}

function cut(warning: string): string {
  return warning.length > WARNING_LENGTH ? `${warning.slice(0, WARNING_LENGTH - 3)}...` : warning;
}
