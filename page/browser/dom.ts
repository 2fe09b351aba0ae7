/** A description of elements, and bringing the document in line with it: elements that stay are kept, so that focus, selection and scrolling stay too. */

export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;
export type Child = Piece | string | number | undefined | false;

export interface Piece {
  readonly tag: string;
  readonly attributes: Attributes;
  readonly children: readonly (Piece | string)[];
}

/** Names of SVG elements that are used here; the rest is HTML. */
const SVG_TAGS: ReadonlySet<string> = new Set(["svg", "g", "path", "rect", "circle", "line", "text", "title", "defs", "marker"]);
const SVG = "http://www.w3.org/2000/svg";

/** `key` among the attributes tells siblings apart where they move; undefined and false leave an attribute out, true sets it empty. */
export function h(tag: string, attributes: Attributes = {}, ...children: (Child | readonly Child[])[]): Piece {
  const flat = children.flat().filter((child) => child !== undefined && child !== false && child !== "");
  return {
    tag,
    attributes,
    children: flat.map((child) => (typeof child === "number" ? String(child) : (child as Piece | string))),
  };
}

interface Kept {
  key: string;
  attributes: Attributes;
}

const kept = new WeakMap<Element, Kept>();

const keyOf = ({ tag, attributes }: Piece): string => `${tag}#${attributes.key ?? ""}`;

/** Brings the children of `parent` in line. Attributes and classes that somebody else set on an element are left alone. */
export function render(parent: Element, wanted: readonly (Piece | string)[]): void {
  const reusable = new Map<string, Element[]>();
  for (const element of parent.children) {
    const key = kept.get(element)?.key;
    if (key !== undefined) reusable.set(key, [...(reusable.get(key) ?? []), element]);
  }
  let place: ChildNode | null = parent.firstChild;
  for (const piece of wanted) {
    const node: ChildNode = typeof piece === "string" ? textAt(place, piece) : elementFor(piece, reusable);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
    if (typeof piece !== "string" && node instanceof Element) update(node, piece);
  }
  while (place !== null) {
    const next: ChildNode | null = place.nextSibling;
    place.remove();
    place = next;
  }
}

function textAt(place: ChildNode | null, text: string): ChildNode {
  if (!(place instanceof Text)) return document.createTextNode(text);
  if (place.data !== text) place.data = text;
  return place;
}

function elementFor(piece: Piece, reusable: Map<string, Element[]>): Element {
  const key = keyOf(piece);
  const found = reusable.get(key)?.shift();
  if (found !== undefined) return found;
  const svg = SVG_TAGS.has(piece.tag);
  const made = svg ? document.createElementNS(SVG, piece.tag) : document.createElement(piece.tag);
  kept.set(made, { key, attributes: {} });
  return made;
}

function update(element: Element, { attributes, children }: Piece): void {
  const record = kept.get(element);
  const before = record?.attributes ?? {};
  for (const name of Object.keys(before))
    if (attributes[name] === undefined || attributes[name] === false) element.removeAttribute(name);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "key" || value === undefined || value === false || before[name] === value) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  if (record !== undefined) record.attributes = attributes;
  render(element, children);
}
