/**
 * JSON patch operations, built by hand and in order. Never a typed re-marshal, which would strip the fields of newer Kubernetes versions, and never a
 * diff, which renames every container after an inserted one.
 */
import { asArray, asObject, type Json } from "../json.ts";

export type Operation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: Json }
  | { readonly op: "remove"; readonly path: string };

export type Path = readonly (string | number)[];

/** A JSON pointer: `/` in a key is `~1`, `~` is `~0`. */
export function pointer(path: Path): string {
  let text = "";
  for (const part of path) text += `/${typeof part === "string" && /[~/]/.test(part) ? escaped(part) : part}`;
  return text;
}

const escaped = (part: string): string => part.replaceAll("~", "~0").replaceAll("/", "~1");

export class Patch {
  readonly operations: Operation[] = [];
  /** maps and lists that were absent and are made by this patch */
  readonly #made = new Set<string>();

  /**
   * Sets a key of a map that may be absent or null (or of a wrong type, which the API server never sends).
   * @param existing what the map is in the object as it came
   */
  set(path: Path, existing: unknown, key: string, value: Json): void {
    if (this.#isAbsent(path, asObject(existing))) this.#add(path, {});
    this.#add([...path, key], value);
  }

  /** Appends to a list that may be absent or null; the user's order is kept. */
  append(path: Path, existing: unknown, value: Json): void {
    if (this.#isAbsent(path, asArray(existing))) this.#add(path, [value]);
    else this.#add([...path, "-"], value);
  }

  /** Inserts into a list that may be absent or null; what is there moves back. */
  insert(path: Path, existing: unknown, index: number, value: Json): void {
    if (this.#isAbsent(path, asArray(existing))) this.#add(path, [value]);
    else this.#add([...path, index], value);
  }

  replace(path: Path, value: Json): void {
    this.operations.push({ op: "replace", path: pointer(path), value });
  }

  remove(path: Path): void {
    this.operations.push({ op: "remove", path: pointer(path) });
  }

  #add(path: Path, value: Json): void {
    this.operations.push({ op: "add", path: pointer(path), value });
  }

  /** True the first time only: afterwards this patch has made it. */
  #isAbsent(path: Path, existing: unknown): boolean {
    if (existing !== undefined) return false;
    const key = pointer(path);
    if (this.#made.has(key)) return false;
    this.#made.add(key);
    return true;
  }
}
