/** `inject` and `uninject` of a text: the same checks and the same operations as the webhook's, on files. Pure but for the context's clock and randomness. */
import { ANNOTATION, LABEL, MARK } from "../../model/names.ts";
import { nearestName } from "../../model/nearest.ts";
import type { Operation } from "../../webhook/inject/patch.ts";
import { type InjectContext, injectPod, isAsked } from "../../webhook/inject/pod.ts";
import { injectWorkload } from "../../webhook/inject/workload.ts";
import { asObject, at, type JsonObject, stringMap } from "../../webhook/json.ts";
import { type Item, itemsOf, type Source } from "./documents.ts";
import { uninject } from "./uninject.ts";
import { layoutOf, patchDocument } from "./yaml-patch.ts";

export interface Rewritten {
  readonly text: string;
  /** for standard error: what was done to which object */
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
  readonly errors: readonly string[];
}

export interface InjectWish {
  /** annotations to be written, with full keys */
  readonly annotations: Readonly<Record<string, string>>;
  /** also what the webhook would put in */
  readonly full: boolean;
}

/** @throws Error with the nearest key for a setting that does not exist */
export function annotationsOf(cluster: string | undefined, settings: readonly string[]): Record<string, string> {
  const known = Object.values(ANNOTATION).map((key) => key.slice(key.indexOf("/") + 1));
  const pairs = settings.map((text): [string, string] => {
    const [key = "", ...value] = text.split("=");
    if (!known.includes(key)) {
      const near = nearestName(key, known);
      throw new Error(`--set ${text}: there is no setting "${key}"${near === undefined ? "" : `; did you mean ${near}?`}`);
    }
    if (value.length === 0) throw new Error(`--set ${text}: use KEY=VALUE`);
    return [`redis-ha.io/${key}`, value.join("=")];
  });
  return { ...(cluster === undefined ? {} : { [ANNOTATION.cluster]: cluster }), ...Object.fromEntries(pairs) };
}

export function injectText(source: Source, wish: InjectWish, context: InjectContext): Rewritten {
  return rewrite(source, (item) => injectItem(item, wish, context));
}

export function uninjectText(source: Source): Rewritten {
  return rewrite(source, (item) => {
    const { shape, object, what, document } = item;
    if (shape === undefined) return NOTHING;
    const pod = asObject(at(object, ...shape.podPath)) ?? {};
    const { operations, warnings } = uninject(pod);
    // The wishes on the workload itself would be copied into the template again.
    const own = shape.podPath.length === 0 ? [] : uninject({ metadata: asObject(object.metadata) ?? {} }).operations;
    if (operations.length + own.length === 0) return NOTHING;
    patchDocument(document, operations, shape.podPath);
    patchDocument(document, own);
    return { changed: true, notes: [`${what}: plain again`], warnings: warnings.map(of(what)), errors: [] };
  });
}

interface Outcome {
  readonly changed: boolean;
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
  readonly errors: readonly string[];
}

const NOTHING: Outcome = { changed: false, notes: [], warnings: [], errors: [] };
const of =
  (what: string) =>
  (text: string): string =>
    `${what}: ${text}`;

function injectItem(item: Item, { annotations, full }: InjectWish, context: InjectContext): Outcome {
  const { shape, what, document } = item;
  if (shape === undefined) return NOTHING;
  const wished = Object.entries(annotations);
  for (const [key, value] of wished) {
    const path = [...shape.podPath, "metadata", "annotations"];
    if (document.getIn([...path, key]) !== value) document.setIn([...path, key], value);
  }
  const object = asObject(document.toJS()) ?? {};
  if (!asks(object, shape.podPath)) {
    return { ...NOTHING, notes: [`${what}: left alone, it asks for nothing (--cluster NAME makes it a group)`] };
  }
  const own = shape.kind === "Pod" ? injectPod(object, context) : injectWorkload(object, context);
  if (own.errors.length > 0) return { ...NOTHING, warnings: own.warnings.map(of(what)), errors: own.errors.map(of(what)) };
  if (shape.kind === "Workload") patchDocument(document, own.operations);
  const parts = full ? fullOperations(asObject(document.toJS()) ?? {}, shape.podPath, context) : [];
  patchDocument(document, parts, shape.podPath);
  const changed = wished.length > 0 || parts.length > 0 || (shape.kind === "Workload" && own.operations.length > 0);
  const note = full ? "injected as the webhook would" : "annotated; the webhook does the rest when its pods are made";
  return { changed, notes: [of(what)(note)], warnings: own.warnings.map(of(what)), errors: [] };
}

function asks(object: JsonObject, podPath: readonly string[]): boolean {
  return [[], podPath].some((path) =>
    isAsked(stringMap(at(object, ...path, "metadata", "annotations")), stringMap(at(object, ...path, "metadata", "labels"))),
  );
}

/** Without the pod's own identity: in a template it would be shared by all pods, and the webhook gives each its own. */
function fullOperations(object: JsonObject, podPath: readonly string[], context: InjectContext): Operation[] {
  const { operations } = injectPod(asObject(at(object, ...podPath)), context);
  const perPod = [LABEL.instance, MARK.status].map((key) => key.replaceAll("/", "~1"));
  return operations.filter(({ path }) => !perPod.some((key) => path.endsWith(`/${key}`)));
}

/** Documents that are not changed stay as they are, to the byte; each brings its own `---`. */
function rewrite(source: Source, change: (item: Item) => Outcome): Rewritten {
  const layout = layoutOf(source.text);
  let from = 0;
  let text = "";
  const outcomes = itemsOf(source).map((item) => {
    const outcome = change(item);
    const end = item.document.range[2];
    text += outcome.changed ? item.document.toString(layout) : source.text.slice(from, end);
    from = end;
    return outcome;
  });
  return {
    text: outcomes.some(({ changed }) => changed) ? text : source.text,
    notes: outcomes.flatMap(({ notes }) => notes),
    warnings: outcomes.flatMap(({ warnings }) => warnings),
    errors: outcomes.flatMap(({ errors }) => errors),
  };
}
