/** What redis-ha makes, or made, of a pod, and why; as lines. Pure. */
import fastJsonPatch from "fast-json-patch";
import { stringify } from "yaml";
import { TABLE } from "../../model/annotation-table.ts";
import { MARK } from "../../model/names.ts";
import type { Operation } from "../../webhook/inject/patch.ts";
import { type InjectContext, injectPod } from "../../webhook/inject/pod.ts";
import { injectWorkload } from "../../webhook/inject/workload.ts";
import { asObject, at, type JsonObject, stringMap } from "../../webhook/json.ts";
import type { Paper } from "../paper.ts";
import { diffLines } from "./diff.ts";
import type { Shape } from "./documents.ts";
import { byPart, described, WHY } from "./parts.ts";
import { uninject } from "./uninject.ts";

export interface Explanation {
  readonly heading: string;
  /** undefined: it is not asked for */
  readonly settings: readonly string[] | undefined;
  readonly operations: readonly Operation[];
  readonly warnings: readonly string[];
  readonly errors: readonly string[];
  readonly before: JsonObject;
  readonly after: JsonObject;
}

/** An object of a file: what the webhook would do when its pods are made. */
export function explainObject(object: JsonObject, what: string, shape: Shape, context: InjectContext): Explanation {
  const own = shape.kind === "Workload" ? injectWorkload(object, context) : undefined;
  const template = asObject(at(patched(object, own?.operations ?? []), ...shape.podPath)) ?? {};
  const pod = injectPod(template, context);
  const skipped = pod.skipped !== undefined;
  return {
    heading: skipped ? `${what}: left alone (it asks for nothing)` : `${what}: what the webhook would put into each of its pods`,
    settings: skipped ? undefined : settingsLines(template),
    operations: pod.operations,
    warnings: own?.warnings ?? pod.warnings,
    errors: own?.errors ?? pod.errors,
    before: template,
    after: patched(template, pod.operations),
  };
}

/** A living pod: what was put into it, told by taking it out again. */
export function explainPod(pod: JsonObject): Explanation {
  const name = `Pod ${String(at(pod, "metadata", "name"))}`;
  const status = stringMap(at(pod, "metadata", "annotations"))[MARK.status];
  // The kubelet's half, and what the API server keeps for itself, is nothing that anybody injected.
  const shown: JsonObject = {
    metadata: { labels: at(pod, "metadata", "labels"), annotations: at(pod, "metadata", "annotations") },
    spec: at(pod, "spec"),
  };
  const removal = uninject(shown, { keepSettings: true });
  const before = patched(shown, removal.operations);
  const injected = status !== undefined;
  return {
    heading: injected ? `${name}: injected ${statusText(status)}` : `${name}: not injected`,
    settings: settingsLines(shown),
    operations: injected ? additions(before, shown) : [],
    warnings: injected ? removal.warnings : ["it runs without redis-ha; redis-ha doctor says what to do where it asks for it"],
    errors: [],
    before,
    after: injected ? shown : before,
  };
}

/** The operations that lead from one to the other. */
function additions(before: JsonObject, after: JsonObject): Operation[] {
  return fastJsonPatch.compare(before as object, after as object).filter(({ op }) => op !== "test") as unknown as Operation[];
}

function statusText(status: string): string {
  const read = (key: string): string => {
    try {
      return String(at(JSON.parse(status), key) ?? "?");
    } catch {
      return "?";
    }
  };
  return `by version ${read("version")} at ${read("at")}`;
}

function patched(object: JsonObject, operations: readonly Operation[]): JsonObject {
  return fastJsonPatch.applyPatch(
    structuredClone(object) as object,
    structuredClone(operations) as fastJsonPatch.Operation[],
    false,
  ).newDocument as JsonObject;
}

/** Every setting with its value, and whether it was chosen. */
function settingsLines(pod: JsonObject): string[] {
  const annotations = stringMap(at(pod, "metadata", "annotations"));
  return Object.values(TABLE).map(({ key, defaultText }) => {
    const given = annotations[key];
    return given === undefined ? `  ${key}: (default) ${defaultText}` : `  ${key}: ${given}`;
  });
}

export interface ExplainStyle {
  readonly diff: boolean;
  readonly settings: boolean;
}

export function renderExplanation(explanation: Explanation, style: ExplainStyle, paper: Paper): string[] {
  const { heading, settings, operations, warnings, errors, before, after } = explanation;
  return [
    paper.bold(heading),
    ...errors.map((error) => `  ${paper.red("error:")} ${error}`),
    ...warnings.map((warning) => `  ${paper.yellow("!")} ${warning}`),
    ...(style.settings && settings !== undefined
      ? ["", ...settings.map((line) => (line.includes("(default)") ? paper.dim(line) : line))]
      : []),
    ...byPart(operations).flatMap(([part, own]) => [
      "",
      `  ${paper.bold(part)}  ${paper.dim(WHY[part])}`,
      ...[...new Set(own.flatMap(described))].map((line) => `    ${line}`),
    ]),
    ...(style.diff ? diff(before, after, paper) : []),
  ];
}

function diff(before: JsonObject, after: JsonObject, paper: Paper): string[] {
  const text = (object: JsonObject): string => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false });
  const colour = { "+": paper.green, "-": paper.red, "@": paper.dim, " ": (line: string) => line };
  return [
    "",
    ...diffLines(text(before), text(after)).map(({ mark, text: line }) =>
      colour[mark](mark === "@" ? `  ${line}` : `${mark} ${line}`),
    ),
  ];
}
