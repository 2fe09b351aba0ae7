/** The envelope: admission.k8s.io/v1 AdmissionReview, in and out. */
import { Type } from "typebox";
import { Compile } from "typebox/compile";
import type { Operation } from "./inject/patch.ts";
import type { Json } from "./json.ts";

const GroupVersionKind = Type.Object({ group: Type.String(), version: Type.String(), kind: Type.String() });
const GroupVersionResource = Type.Object({ group: Type.String(), version: Type.String(), resource: Type.String() });

/** Strict in what is used, open to fields that later versions add. */
const AdmissionReview = Type.Object({
  apiVersion: Type.Literal("admission.k8s.io/v1"),
  kind: Type.Literal("AdmissionReview"),
  request: Type.Object({
    uid: Type.String({ minLength: 1, maxLength: 128 }),
    kind: GroupVersionKind,
    resource: GroupVersionResource,
    subResource: Type.Optional(Type.String()),
    operation: Type.Union([Type.Literal("CREATE"), Type.Literal("UPDATE"), Type.Literal("DELETE"), Type.Literal("CONNECT")]),
    namespace: Type.Optional(Type.String({ maxLength: 253 })),
    name: Type.Optional(Type.String({ maxLength: 253 })),
    dryRun: Type.Optional(Type.Boolean()),
    object: Type.Optional(Type.Unknown()),
    oldObject: Type.Optional(Type.Unknown()),
  }),
});

const validator = Compile(AdmissionReview);

export type ReviewRequest = Type.Static<typeof AdmissionReview>["request"];

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
  const [first] = validator.Errors(body);
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
