/** The living picture: cards in HTML, the Service's arrow and the replication links in SVG beside them. The arrow travels; with reduced motion it jumps. */
import type { Card, Link, Picture } from "../model/picture.ts";
import type { GroupDetail } from "../wire.ts";
import { h, type Piece } from "./dom.ts";
import { glyph } from "./glyphs.ts";
import { podName } from "./parts.ts";

/** Widths of the two columns of lines, px; the style sheet has the same. */
const LEFT = 132;
const LEFT_NARROW = 30;
const RIGHT = 44;
const TRAVEL_MS = 700;

export function pictureView(picture: Picture, group: GroupDetail, stale: boolean): Piece {
  return h(
    "section",
    { class: "card picture-card", "aria-labelledby": "picture" },
    h("h2", { id: "picture" }, "Now"),
    h("p", { class: "hidden", id: "picture-text" }, picture.text),
    picture.cards.length === 0
      ? h("p", { class: "quiet" }, "No pods.")
      : h(
          "div",
          { class: `picture${stale ? " old" : ""}`, role: "group", "aria-describedby": "picture-text" },
          h(
            "div",
            { class: "service", "data-service": group.service.name },
            h("span", { class: "label" }, "Service"),
            h("span", { class: "mono" }, group.service.name),
            group.service.exists ? undefined : h("span", { class: "tag" }, "does not exist"),
            group.service.exists && picture.arrow === undefined ? h("span", { class: "tag" }, "leads nowhere") : undefined,
          ),
          arrowView(picture),
          h("ul", { class: "pods" }, picture.cards.map(cardView)),
          linksView(picture),
        ),
  );
}

function arrowView({ height, arrow }: Picture): Piece {
  return h(
    "svg",
    {
      class: `arrow${arrow === undefined ? " none" : arrow.good ? " good" : " broken"}`,
      width: LEFT,
      height,
      "aria-hidden": "true",
      "data-arrow": arrow?.to ?? "",
      "data-good": arrow?.good === true ? "yes" : "no",
      "data-y": arrow?.y,
      "data-height": height,
    },
    h("path", { class: "shaft" }),
    h("path", { class: "head" }),
    arrow !== undefined && !arrow.good ? h("path", { class: "sever", d: "M-6 -6L6 6M6 -6L-6 6" }) : undefined,
  );
}

function cardView(card: Card): Piece {
  return h(
    "li",
    { class: `pod ${card.role} ${card.tone}`, key: card.pod, "data-pod": card.pod, "data-role": card.role },
    h(
      "div",
      { class: "pod-head" },
      h("span", { class: "role" }, card.role === "down" ? glyph("cross", card.tone) : undefined, card.roleText),
      podName(card.pod),
      card.badges.map((text) => h("span", { class: "tag", key: text }, text)),
    ),
    card.facts.length === 0 && card.lag === undefined
      ? undefined
      : h(
          "div",
          { class: "pod-facts" },
          card.lag === undefined ? undefined : h("span", { class: "lag" }, card.lag),
          card.facts.map((text) => h("span", { key: text }, text)),
        ),
    card.sentinel === undefined
      ? undefined
      : h(
          "div",
          { class: `pod-sentinel ${card.sentinel.tone}` },
          glyph(card.sentinel.tone === "ok" ? "check" : "triangle", card.sentinel.tone),
          card.sentinel.text,
        ),
  );
}

function linksView({ height, links }: Picture): Piece {
  return h(
    "svg",
    { class: "links", width: RIGHT, height, "aria-hidden": "true" },
    links.map((link) =>
      h(
        "g",
        { class: `link ${link.state}`, key: link.to, "data-link": link.to },
        h("path", { class: "wire", d: wire(link) }),
        h("path", { class: "flow", d: wire(link) }),
        h("path", { class: "tip", d: `M8 ${link.at - 5}L1 ${link.at}L8 ${link.at + 5}` }),
      ),
    ),
  );
}

/** Out of the master's right edge, round the corner, down or up, and back into the replica. */
function wire({ from, at, reach }: Link): string {
  // Links leave the master a little apart from each other and from the middle.
  const turn = at > from ? 1 : -1;
  const start = from + turn * Math.min(18, reach / 3);
  const radius = 9;
  return `M0 ${start}H${reach - radius}Q${reach} ${start} ${reach} ${start + turn * radius}V${at - turn * radius}Q${reach} ${at} ${reach - radius} ${at}H3`;
}

const travelling = new WeakMap<Element, { y: number; frame: number }>();

/** Moves every arrow from where it is drawn to where it should point. Call after each rendering. */
export function moveArrows(root: Element): void {
  for (const svg of root.querySelectorAll(".arrow")) {
    const target = Number(svg.getAttribute("data-y") ?? Number.NaN);
    const before = travelling.get(svg);
    if (before !== undefined) cancelAnimationFrame(before.frame);
    if (!Number.isFinite(target)) {
      travelling.delete(svg);
      for (const path of svg.querySelectorAll(".shaft, .head")) path.setAttribute("d", "");
      continue;
    }
    const start = before?.y ?? target;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden;
    travel(svg, start, target, still || Math.abs(start - target) < 0.5 ? 0 : TRAVEL_MS);
  }
}

function travel(svg: Element, start: number, target: number, lastsMs: number): void {
  const began = performance.now();
  const frame = (now: number): void => {
    const part = lastsMs === 0 ? 1 : Math.min(1, Math.max(0, (now - began) / lastsMs));
    const eased = part < 0.5 ? 4 * part ** 3 : 1 - (-2 * part + 2) ** 3 / 2;
    const y = start + (target - start) * eased;
    draw(svg, y);
    travelling.set(svg, { y, frame: part < 1 ? requestAnimationFrame(frame) : 0 });
  };
  frame(began);
}

function draw(svg: Element, y: number): void {
  const narrow = svg.clientWidth < LEFT / 2;
  const width = narrow ? LEFT_NARROW : LEFT;
  const height = Number(svg.getAttribute("data-height"));
  const from = height / 2;
  const shaft = narrow
    ? `M12 0V${y - 12}Q12 ${y} 24 ${y}H${width - 4}`
    : `M0 ${from}C${width * 0.55} ${from} ${width * 0.45} ${y} ${width - 5} ${y}`;
  svg.querySelector(".shaft")?.setAttribute("d", shaft);
  svg.querySelector(".head")?.setAttribute("d", `M${width - 11} ${y - 6}L${width - 2} ${y}L${width - 11} ${y + 6}`);
  svg
    .querySelector(".sever")
    ?.setAttribute("transform", narrow ? `translate(12 ${y / 2})` : `translate(${width / 2} ${(from + y) / 2})`);
}
