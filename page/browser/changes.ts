/** The last changes of master: the newest with its steps, the others folded; and who was master before. */
import { chartOf, meaningOf, type StepChart } from "../model/steps.ts";
import { absolute, step } from "../model/text.ts";
import { kindOf, spaced } from "../model/words.ts";
import type { Change, GroupDetail } from "../wire.ts";
import { h, type Piece } from "./dom.ts";
import { podName, when } from "./parts.ts";

export function changesView({ changes }: GroupDetail, leads: boolean, now: number): Piece {
  return h(
    "section",
    { class: "card", "aria-labelledby": "changes" },
    h("h2", { id: "changes" }, "Changes of master, step by step"),
    changes.length === 0
      ? h(
          "p",
          { class: "quiet" },
          leads
            ? "None since this replica leads. Who was master before stands below."
            : "This replica has recorded none: the one that leads keeps them.",
        )
      : changes.map((change, at) => changeView(change, at === 0, now)),
  );
}

function changeView(change: Change, open: boolean, now: number): Piece {
  const chart = chartOf(change);
  return h(
    "details",
    // Only what a person has not folded or unfolded since stays as it was made.
    { class: "change", open, key: `${change.startedAt}${change.to}`, "data-kind": change.kind },
    h(
      "summary",
      {},
      h("span", { class: "fold", "aria-hidden": "true" }),
      h("span", { class: "change-kind" }, kindOf(change.kind)),
      h(
        "span",
        { class: "change-way mono" },
        `${change.from === "" ? "nobody" : change.from} → ${change.to === "" ? "nobody" : change.to}`,
      ),
      h("span", { class: "change-total" }, step(chart.total)),
      h("span", { class: "quiet" }, when(Date.parse(change.startedAt), now)),
    ),
    h("p", { class: "quiet" }, `${change.cause}${change.outcome === "done" ? "" : ` (${change.outcome})`}`),
    chartView(chart, change),
  );
}

function chartView({ bars, ticks, total }: StepChart, change: Change): Piece {
  return h(
    "table",
    { class: "steps" },
    h(
      "caption",
      { class: "hidden" },
      `Steps of the ${kindOf(change.kind).toLowerCase()} at ${absolute(Date.parse(change.startedAt))}, ${step(total)} in all`,
    ),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Step"),
        h("th", { class: "axis", "aria-hidden": "true" }, axis(ticks, total)),
        h("th", { scope: "col", class: "number" }, "reached at"),
        h("th", { scope: "col", class: "number" }, "took"),
      ),
    ),
    h(
      "tbody",
      {},
      bars.map((bar, at) =>
        h(
          "tr",
          { key: `${bar.step}${at}`, class: bar.longest ? "longest" : undefined },
          h("th", { scope: "row" }, h("span", {}, bar.step), h("span", { class: "quiet meaning" }, meaningOf(bar.step))),
          h(
            "td",
            { class: "bar", "aria-hidden": "true" },
            h(
              "svg",
              { width: "100%", height: 22 },
              ticks.map(({ ms, left }) => h("line", { key: ms, x1: `${left}%`, x2: `${left}%`, y1: 0, y2: 22, class: "grid" })),
              h("rect", { class: "took", x: `${bar.left}%`, width: `${bar.width}%`, y: 5, height: 12, rx: 2 }),
            ),
          ),
          h("td", { class: "number" }, step(bar.at)),
          h("td", { class: "number quiet" }, `+${step(bar.took)}`),
        ),
      ),
    ),
  );
}

function axis(ticks: StepChart["ticks"], total: number): Piece {
  return h(
    "svg",
    { width: "100%", height: 16 },
    ticks
      .filter(({ left }) => left < 94)
      .map(({ ms, left }) => h("text", { key: ms, x: `${left}%`, y: 12, class: "tick" }, ms === 0 ? "0" : step(ms))),
    total > 0 ? undefined : h("text", { x: "0%", y: 12, class: "tick" }, "0"),
  );
}

export function historyView({ record, history, master }: GroupDetail, now: number): Piece {
  const reigns = [...(record === undefined ? [] : [record]), ...history];
  return h(
    "section",
    { class: "card", "aria-labelledby": "history" },
    h("h2", { id: "history" }, "Masters until now"),
    reigns.length === 0
      ? h("p", { class: "quiet" }, "There was none yet.")
      : h(
          "div",
          { class: "wide-table", tabindex: 0, role: "group", "aria-labelledby": "history" },
          h(
            "table",
            { class: "plain" },
            h(
              "thead",
              {},
              h(
                "tr",
                {},
                ["Pod", "Became master", "Reason", "Epoch"].map((text) => h("th", { scope: "col", key: text }, text)),
              ),
            ),
            h(
              "tbody",
              {},
              reigns.map(({ pod, since, reason, epoch }, at) =>
                h(
                  "tr",
                  { key: `${pod}${since}` },
                  h(
                    "th",
                    { scope: "row" },
                    podName(pod),
                    at === 0 && record !== undefined
                      ? h("span", { class: "tag" }, master === record.pod ? "now" : "last")
                      : undefined,
                  ),
                  h("td", {}, when(Date.parse(since), now)),
                  h("td", {}, spaced(reason)),
                  h("td", { class: "number" }, epoch),
                ),
              ),
            ),
          ),
        ),
  );
}
