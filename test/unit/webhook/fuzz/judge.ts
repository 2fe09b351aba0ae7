/** What must hold of the answer to any review whatever. */
import fastJsonPatch from "fast-json-patch";
import { admit } from "../../../../webhook/admit.ts";
import { injectConfig } from "../../../../webhook/config.ts";
import { asArray, asString, at } from "../../../../webhook/json.ts";
import { answer, parseReview } from "../../../../webhook/review.ts";
import { NOW } from "../support.ts";

export type Judged = "malformed" | "injected" | "unchanged" | "skipped" | "denied";

const config = injectConfig("0.1.0");
const context = { config, random: () => 0.5, now: () => NOW };

/** Answers the review and throws when the answer is not as it must be. */
export function judge(text: string): Judged {
  const review = parseReview(JSON.parse(text));
  if ("problem" in review) return "malformed";
  const admission = admit(review, context);
  const reply: unknown = JSON.parse(JSON.stringify(answer(review.uid, admission)));
  const response = at(reply, "response");
  check(at(response, "uid") === review.uid, "the uid is not echoed");
  check((at(response, "allowed") === false) === (admission.outcome === "denied"), "allowed does not fit the outcome");
  for (const warning of asArray(at(response, "warnings")) ?? []) check(String(warning).length <= 120, "a warning is too long");
  for (const note of Object.values(at(response, "auditAnnotations") ?? {}))
    check(typeof note === "string", "an audit annotation is no text");
  const patch = asString(at(response, "patch"));
  if (admission.outcome === "denied") {
    check(patch === undefined, "denied, and a patch");
    check((asString(at(response, "status", "message")) ?? "").length > 20, "denied without saying why");
  }
  if (patch !== undefined) {
    const operations = JSON.parse(Buffer.from(patch, "base64").toString()) as fastJsonPatch.Operation[];
    check(operations.length > 0, "an empty patch");
    // Throws when an operation does not fit.
    fastJsonPatch.applyPatch(structuredClone(review.object), operations, true);
  }
  check(Object.keys(Object.prototype).length === 0 && !("polluted" in {}), "a prototype was changed");
  return admission.outcome;
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}
