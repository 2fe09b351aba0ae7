/** Events as they come, the newest first. */
import { absolute, clock } from "../model/text.ts";
import { spaced } from "../model/words.ts";
import type { GroupDetail, Level, NewsItem, Replica } from "../wire.ts";
import { h, type Piece } from "./dom.ts";
import { glyph } from "./glyphs.ts";

const SHOWN = 60;

export const newsOf = (group: GroupDetail, news: readonly NewsItem[]): NewsItem[] =>
  news.filter(({ namespace, cluster }) => namespace === group.namespace && cluster === group.cluster);

export function newsView(items: readonly NewsItem[], replica: Replica | undefined): Piece {
  const since = replica === undefined ? "" : ` since it started, ${absolute(replica.startedAt)}`;
  return h(
    "section",
    { class: "card news-card", "aria-labelledby": "news" },
    h("h2", { id: "news" }, "Events"),
    h("p", { class: "quiet" }, `Told by this replica${since}.`),
    items.length === 0 ? h("p", { class: "quiet" }, "None yet.") : undefined,
    h(
      "div",
      { class: "news", role: "log", "aria-relevant": "additions", "aria-labelledby": "news", tabindex: 0 },
      h("ol", {}, [...items].reverse().slice(0, SHOWN).map(itemView)),
    ),
  );
}

const itemView = ({ seq, at, reason, message, level }: NewsItem): Piece =>
  h(
    "li",
    { key: seq, class: level, "data-reason": reason },
    h("time", { datetime: new Date(at).toISOString(), title: absolute(at) }, clock(at)),
    h("div", {}, h("strong", {}, mark(level), spaced(reason)), h("p", {}, message)),
  );

function mark(level: Level): Piece | undefined {
  if (level === "info") return undefined;
  return level === "halted" ? glyph("stop", "bad") : glyph("triangle", "warn");
}
