/** One admission: which rule applies to the request, and what is answered. Pure but for the context's randomness and clock. */
import { type InjectResult, injectPod } from "./inject/pod.ts";
import type { InjectContext } from "./inject/view.ts";
import { injectWorkload } from "./inject/workload.ts";
import { asObject, asString, at } from "./json.ts";
import type { ReviewRequest, Verdict } from "./review.ts";

export type Outcome = "injected" | "unchanged" | "skipped" | "denied";

export interface Admission extends Verdict {
  readonly outcome: Outcome;
  /** what was asked about, for logs: `Pod cache/cache-7d4-` */
  readonly subject: string;
}

export function admit(request: ReviewRequest, context: Omit<InjectContext, "namespace">): Admission {
  const subject = subjectOf(request);
  const result = decide(request, { ...context, namespace: request.namespace ?? "" });
  if (result === undefined) return { ...nothing("other-request"), subject };
  if ("problem" in result) {
    return {
      ...nothing("malformed"),
      outcome: "denied",
      subject,
      denied: { code: 400, reason: "BadRequest", message: result.problem },
    };
  }
  const { operations, warnings, errors } = result;
  const outcome = outcomeOf(result);
  return {
    operations,
    warnings,
    auditAnnotations: { ...result.auditAnnotations, outcome },
    outcome,
    subject,
    ...(errors.length > 0 ? { denied: { code: 422, reason: "Invalid", message: message(subject, errors) } } : {}),
  };
}

function decide(request: ReviewRequest, context: InjectContext): InjectResult | { readonly problem: string } | undefined {
  const { kind, operation, subResource, object, oldObject } = request;
  if (subResource !== undefined && subResource !== "") return undefined;
  const isPod = kind.group === "" && kind.kind === "Pod";
  const isWorkload = kind.group === "apps" && (kind.kind === "Deployment" || kind.kind === "StatefulSet");
  const applies = (isPod && operation === "CREATE") || (isWorkload && (operation === "CREATE" || operation === "UPDATE"));
  if (!applies) return undefined;
  if (asObject(object) === undefined) return { problem: `redis-ha: the request to ${operation} a ${kind.kind} has no object` };
  if (context.namespace === "") return { problem: `redis-ha: the request to ${operation} a ${kind.kind} has no namespace` };
  return isPod ? injectPod(object, context) : injectWorkload(object, { ...context, oldObject });
}

function outcomeOf({ errors, skipped, operations }: InjectResult): Outcome {
  if (errors.length > 0) return "denied";
  if (skipped !== undefined) return "skipped";
  return operations.length > 0 ? "injected" : "unchanged";
}

function nothing(skipped: string): Omit<Admission, "subject"> {
  return { operations: [], warnings: [], auditAnnotations: { skipped, outcome: "skipped" }, outcome: "skipped" };
}

/** Every mistake of the object at once, so that a person needs one round and no manual. */
function message(subject: string, errors: readonly string[]): string {
  const count = errors.length === 1 ? "one thing" : `${errors.length} things`;
  return [`redis-ha cannot take ${subject} as it is; ${count} to change:`, ...errors.map((error) => `- ${error}`)].join("\n");
}

/** A pod made by a controller has no name yet, only the beginning of one. */
function subjectOf({ kind, namespace, name, object }: ReviewRequest): string {
  const metadata = at(object, "metadata");
  const generated = asString(at(metadata, "generateName"));
  const shown = [name, asString(at(metadata, "name")), generated === undefined ? undefined : `${generated}…`].find(
    (text) => text !== undefined && text !== "",
  );
  return `${kind.kind} ${namespace ?? ""}/${shown ?? "?"}`;
}
