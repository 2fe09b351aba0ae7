/** Small drawings. Each state has an outline of its own, so that it is told apart without colour. */
import type { Shape, Tone } from "../model/words.ts";
import { h, type Piece } from "./dom.ts";

const PATH: Readonly<Record<Shape, string>> = {
  check: "M10 1.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 0 0 0-17zM6 10.3l2.8 2.8l5.4-6",
  arrows: "M10 1.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 0 0 0-17zM5.5 8h8l-2.3-2.3M14.5 12h-8l2.3 2.3",
  triangle: "M10 2L19 17.5H1zM10 7.5v5M10 14.8v.4",
  clock: "M10 1.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 0 0 0-17zM10 5.5V10.3l3.2 2",
  cross: "M6.5 1.5h7l5 5v7l-5 5h-7l-5-5v-7zM7 7l6 6M13 7l-6 6",
  stop: "M2 2h16v16H2zM7 6.5v7M13 6.5v7",
  question: "M10 1.5a8.5 8.5 0 1 0 0 17a8.5 8.5 0 0 0 0-17zM7.6 8a2.4 2.4 0 1 1 3.4 2.2c-.7.3-1 .8-1 1.6M10 14.4v.3",
};

export const glyph = (shape: Shape, tone: Tone): Piece =>
  h(
    "svg",
    {
      class: `glyph ${tone}`,
      viewBox: "0 0 20 20",
      width: 20,
      height: 20,
      "aria-hidden": "true",
      focusable: "false",
      "data-shape": shape,
    },
    h("path", { d: PATH[shape] }),
  );

/** A filled or hollow dot for each of `all`. */
export function dots(up: number, all: number): Piece {
  const shown = Math.min(all, 9);
  return h(
    "svg",
    {
      class: "dots",
      viewBox: `0 0 ${Math.max(1, shown) * 12} 12`,
      width: Math.max(1, shown) * 12,
      height: 12,
      "aria-hidden": "true",
    },
    Array.from({ length: shown }, (_, at) => h("circle", { cx: at * 12 + 6, cy: 6, r: 3.6, class: at < up ? "full" : "hollow" })),
  );
}
