/** Reading JSON whose shape nobody has promised: every accessor answers undefined instead of throwing. */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

export function asArray(value: unknown): readonly Json[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

export function asString(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function asNumber(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** An own field only: a key such as `constructor` must never be answered by a prototype. */
export function field(object: JsonObject | undefined, key: string): Json | undefined {
  return object !== undefined && Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Follows a path of own fields. */
export function at(value: unknown, ...path: readonly string[]): Json | undefined {
  let here: unknown = value;
  for (const key of path) here = field(asObject(here), key);
  return here as Json | undefined;
}

/** The objects of a list, with their places; anything else in the list is passed over. */
export function objects(value: unknown): readonly { readonly index: number; readonly object: JsonObject }[] {
  return (asArray(value) ?? []).flatMap((item, index) => {
    const object = asObject(item);
    return object === undefined ? [] : [{ index, object }];
  });
}

/** The first object of a list that has this name. A plain loop: it is asked for every variable that is injected. */
export function named(value: unknown, name: string): { readonly index: number; readonly object: JsonObject } | undefined {
  const list = asArray(value);
  if (list === undefined) return undefined;
  for (let index = 0; index < list.length; index += 1) {
    const object = asObject(list[index]);
    if (object !== undefined && field(object, "name") === name) return { index, object };
  }
  return undefined;
}

/** A list of strings such as a command; undefined when absent or empty. */
export function strings(value: unknown): readonly string[] | undefined {
  const list = (asArray(value) ?? []).filter((item) => typeof item === "string");
  return list.length === 0 ? undefined : list;
}

/** A map of strings such as labels, free of a prototype. */
export function stringMap(value: unknown): Readonly<Record<string, string>> {
  const map: Record<string, string> = Object.create(null);
  for (const [key, text] of Object.entries(asObject(value) ?? {})) if (typeof text === "string") map[key] = text;
  return map;
}

/**
 * Whether all that is wanted is there already; more may be there (the API server fills in defaults between two calls of a webhook).
 * Depth is bounded by what is wanted, which is ours, so hostile nesting costs nothing.
 */
export function covers(existing: Json | undefined, wanted: Json | undefined): boolean {
  if (wanted === undefined) return true;
  const list = asArray(wanted);
  if (list !== undefined) {
    const found = asArray(existing);
    return found?.length === list.length && list.every((item, index) => covers(found[index], item));
  }
  const object = asObject(wanted);
  if (object === undefined) return existing === wanted;
  const found = asObject(existing);
  return found !== undefined && Object.keys(object).every((key) => covers(field(found, key), object[key]));
}
