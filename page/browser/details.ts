/** Every pod in a table: the picture in words and numbers. */
import { lagText } from "../model/picture.ts";
import { duration, grouped } from "../model/text.ts";
import { downWord } from "../model/words.ts";
import type { GroupDetail, MemberLine } from "../wire.ts";
import { h, type Piece } from "./dom.ts";
import { podName } from "./parts.ts";

const COLUMNS = ["Pod", "Node", "Redis", "Behind", "Keys", "Offset", "Sentinel", "Age"] as const;

export function detailsView(group: GroupDetail, now: number): Piece {
  return h(
    "section",
    { class: "card", "aria-labelledby": "details" },
    h("h2", { id: "details" }, "Pods"),
    h(
      "div",
      { class: "wide-table", tabindex: 0, role: "group", "aria-labelledby": "details" },
      h(
        "table",
        { class: "plain" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            COLUMNS.map((text) => h("th", { scope: "col", key: text }, text)),
          ),
        ),
        h(
          "tbody",
          {},
          group.members.map((member) => rowView(member, group, now)),
        ),
      ),
    ),
    group.outsiders.length === 0
      ? undefined
      : h("p", { class: "quiet" }, `Not injected, with data that is taken over or given back: ${group.outsiders.join(", ")}.`),
  );
}

function rowView(member: MemberLine, group: GroupDetail, now: number): Piece {
  const { pod, node, redis, sentinel, createdAt } = member;
  const up = redis?.state === "up" ? redis : undefined;
  return h(
    "tr",
    { key: pod },
    h("th", { scope: "row" }, podName(pod)),
    h("td", {}, node ?? "–"),
    h("td", {}, redis === undefined ? "–" : roleText(member, group)),
    h("td", {}, (up?.role === "replica" ? lagText(up) : undefined) ?? "–"),
    h("td", { class: "number" }, up === undefined ? "–" : grouped(up.keys)),
    h("td", { class: "number" }, up === undefined ? "–" : grouped(up.offset)),
    h(
      "td",
      {},
      sentinel === undefined ? "–" : sentinel.state === "up" ? `names ${sentinel.names ?? "nobody"}` : downWord(sentinel.state),
    ),
    h("td", { class: "number" }, duration(now - createdAt)),
  );
}

function roleText({ pod, redis }: MemberLine, group: GroupDetail): string {
  if (redis === undefined) return "–";
  if (redis.state !== "up") return downWord(redis.state);
  if (redis.role === "master") return pod === group.master ? "master" : "says master, unconfirmed";
  return redis.of === undefined ? "waits for a master" : `replica of ${redis.of}`;
}
