/** All groups at a glance, the worst first. */
import { bytes, plural } from "../model/text.ts";
import { type StateWord, wordOf } from "../model/words.ts";
import type { GroupRow, Overview } from "../wire.ts";
import { h, type Piece } from "./dom.ts";
import { dots, glyph } from "./glyphs.ts";
import { lasting, podName } from "./parts.ts";

export const hrefOf = ({ namespace, cluster }: GroupRow): string =>
  `#/${encodeURIComponent(namespace)}/${encodeURIComponent(cluster)}`;

export function overviewView({ groups, replica }: Overview, now: number): Piece[] {
  if (groups.length === 0) {
    return [
      h("h1", { tabindex: -1, id: "title" }, "Groups"),
      h(
        "section",
        { class: "card empty" },
        h("p", { class: "lead" }, replica.handlers ? "No groups yet." : "The handlers of this replica have not started."),
        h("p", { class: "quiet" }, "A group appears as soon as the first pod of an annotated workload is there:"),
        h("p", {}, h("code", { tabindex: 0 }, "kubectl annotate deployment NAME redis-ha.io/cluster=NAME")),
      ),
    ];
  }
  const sorted = [...groups].sort((a, b) => wordOf(a).urgency - wordOf(b).urgency);
  return [
    h("h1", { tabindex: -1, id: "title" }, "Groups"),
    h("p", { class: "lead", id: "summary" }, summary(groups)),
    h(
      "ul",
      { class: "groups", "aria-describedby": "summary" },
      sorted.map((row) => rowView(row, now)),
    ),
  ];
}

function summary(groups: readonly GroupRow[]): string {
  const counts = new Map<StateWord, number>();
  for (const word of groups.map(wordOf)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const parts = [...counts].sort(([a], [b]) => a.urgency - b.urgency);
  return `${plural(groups.length, "group")}: ${parts.map(([{ word }, count]) => `${count} ${word.toLowerCase()}`).join(", ")}.`;
}

function rowView(row: GroupRow, now: number): Piece {
  const word = wordOf(row);
  const { redis, sentinels } = row;
  return h(
    "li",
    { key: `${row.namespace}/${row.cluster}`, class: row.staleSince === undefined ? undefined : "stale" },
    h(
      "a",
      { class: `group ${word.tone}`, href: hrefOf(row) },
      h("span", { class: "group-state" }, glyph(word.shape, word.tone), h("span", {}, word.word)),
      h("span", { class: "group-name" }, h("strong", {}, row.cluster), h("span", { class: "quiet" }, row.namespace)),
      h(
        "span",
        { class: "group-master" },
        h("span", { class: "label" }, "Master"),
        row.master === undefined ? h("span", { class: "quiet" }, "none") : podName(row.master),
        row.since === undefined ? undefined : h("span", { class: "quiet" }, lasting(Date.parse(row.since), now)),
      ),
      countView("Redis", redis),
      countView("Sentinels", sentinels),
      h(
        "span",
        { class: "group-lag" },
        h("span", { class: "label" }, "Behind"),
        row.lagBytes === undefined ? "–" : row.lagBytes === 0 ? "in step" : bytes(row.lagBytes),
      ),
    ),
  );
}

const countView = (label: string, { up, all }: { up: number; all: number }): Piece =>
  h(
    "span",
    { class: "group-count" },
    h("span", { class: "label" }, label),
    h("span", { class: "count" }, all === 0 ? "–" : `${up} of ${all}`, all === 0 ? undefined : dots(up, all)),
  );
