/** Applies the webhook's operations to YAML text through the document's own tree: comments, order, quotes and anchors stay. Pure. */
import { type Document, isMap, isScalar, isSeq, type ToStringOptions, type YAMLMap, type YAMLSeq } from "yaml";
import type { Operation } from "../../webhook/inject/patch.ts";

const unescaped = (part: string): string => part.replaceAll("~1", "/").replaceAll("~0", "~");

/** Changes the document. @param before where the operations' paths begin, as ["spec", "template"] */
export function patchDocument(document: Document, operations: readonly Operation[], before: readonly string[] = []): void {
  for (const operation of operations) {
    const path = [...before, ...operation.path.split("/").slice(1).map(unescaped)];
    const parent = document.getIn(path.slice(0, -1), true);
    const key = path.at(-1) ?? "";
    if (isSeq(parent)) inList(document, parent, key, operation);
    else if (isMap(parent)) inMap(document, parent, key, operation);
    else if (operation.op !== "remove") document.setIn(path, document.createNode(operation.value));
  }
}

function inList(document: Document, list: YAMLSeq, key: string, operation: Operation): void {
  const index = key === "-" ? list.items.length : Number(key);
  if (operation.op === "remove") list.delete(index);
  else list.items.splice(index, operation.op === "replace" ? 1 : 0, document.createNode(operation.value));
}

function inMap(document: Document, map: YAMLMap, key: string, operation: Operation): void {
  // A key such as `8080` may be a number in YAML, and is the same in JSON.
  const found = map.items.find((pair) => (isScalar(pair.key) ? String(pair.key.value) : String(pair.key)) === key);
  if (operation.op === "remove") {
    if (found !== undefined) map.items.splice(map.items.indexOf(found), 1);
    return;
  }
  if (found === undefined) map.add(document.createPair(key, operation.value));
  else found.value = document.createNode(operation.value);
}

/** How the text was laid out, so that what is not changed looks as before. */
export function layoutOf(text: string): ToStringOptions {
  const list = /^( *)[\w-]+:[^\S\n]*\n( *)- /m.exec(text);
  const map = /^( *)[\w./-]+:[^\S\n]*\n( +)[\w./"'-]+:/m.exec(text);
  const count = (pattern: RegExp): number => (text.match(pattern) ?? []).length;
  const indent = map === null ? 2 : Math.max(1, (map[2] ?? "").length - (map[1] ?? "").length);
  return {
    lineWidth: 0,
    indent,
    // Lists at the column of their key are only written where the indent is two.
    indentSeq: indent !== 2 || list === null || (list[2] ?? "").length > (list[1] ?? "").length,
    // One setting for maps and lists: `{ a: b }` beside `[c]` goes by the more frequent of the two.
    flowCollectionPadding: count(/[[{][ \t]+[^\s\]}]/g) > count(/[[{][^\s\]}]/g),
  };
}
