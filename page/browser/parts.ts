/** Pieces that several views use. */
import { absolute, ago, duration } from "../model/text.ts";
import type { StateWord } from "../model/words.ts";
import { h, type Piece } from "./dom.ts";
import { glyph } from "./glyphs.ts";

/** Relative, with the absolute time as its title. `now` is the replica's clock. */
export const when = (at: number, now: number): Piece =>
  h("time", { datetime: new Date(at).toISOString(), title: absolute(at) }, ago(at, now));

export const badge = ({ word, tone, shape }: StateWord): Piece =>
  h("span", { class: `state ${tone}` }, glyph(shape, tone), h("span", {}, word));

/** So many letters at the end are what tells the pods of one workload apart. */
const TAIL = 6;

/** A pod's name: where room is short its middle is left out, never its end. */
export const podName = (name: string): Piece =>
  name.length <= TAIL * 2
    ? h("span", { class: "mono name", title: name }, h("span", {}, name))
    : h("span", { class: "mono name", title: name }, h("span", {}, name.slice(0, -TAIL)), h("span", {}, name.slice(-TAIL)));

/** `for 12 s`, with the absolute time as its title. */
export const lasting = (since: number, now: number): Piece =>
  h("time", { datetime: new Date(since).toISOString(), title: `since ${absolute(since)}` }, `for ${duration(now - since)}`);

/** A command with a button that copies it. */
export const command = (label: string, text: string, risky: boolean): Piece =>
  h(
    "div",
    { class: `command${risky ? " risky" : ""}`, key: text },
    h("p", { class: "command-label" }, label, risky ? h("span", { class: "tag" }, "cannot be undone") : undefined),
    h(
      "div",
      { class: "command-line" },
      h("code", { tabindex: 0, "aria-label": `Command: ${text}` }, text),
      h("button", { type: "button", class: "copy", "data-copy": text, "aria-label": `Copy: ${text}` }, "Copy"),
    ),
  );
