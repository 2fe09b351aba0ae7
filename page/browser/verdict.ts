/** The first thing to read of a group: five answers, and what to do. */
import { absolute } from "../model/text.ts";
import type { Verdict } from "../model/verdict.ts";
import { spaced } from "../model/words.ts";
import { h, type Piece } from "./dom.ts";
import { glyph } from "./glyphs.ts";
import { badge, command, when } from "./parts.ts";

export function verdictView(verdict: Verdict, now: number): Piece {
  const { state, headline, master, lastMaster, since, why, loss } = verdict;
  return h(
    "section",
    { class: `card verdict ${state.tone}`, "aria-labelledby": "verdict", "data-state": state.word },
    h(
      "div",
      { role: "status" },
      h("h2", { id: "verdict", class: "verdict-state" }, badge(state), h("span", { class: "headline" }, headline)),
    ),
    h(
      "dl",
      { class: "answers" },
      answer(
        "Master",
        master === undefined ? h("span", { class: "big" }, "Nobody") : h("span", { class: "big mono" }, master),
        lastMaster === undefined ? undefined : `The last one was ${lastMaster}.`,
      ),
      answer(
        master === undefined ? "Without since" : "Since",
        since === undefined ? h("span", { class: "big quiet" }, "–") : h("span", { class: "big" }, when(since, now)),
        since === undefined ? undefined : absolute(since),
      ),
      answer(
        "Why",
        h("span", { class: "big" }, why === undefined ? "–" : spaced(why.reason)),
        why === undefined ? undefined : `${why.text}${why.cause === undefined ? "" : ` ${why.cause}.`}`,
      ),
      answer(
        "Data lost",
        h("span", { class: `big loss-${loss?.kind ?? "unknown"}` }, loss === undefined ? "–" : loss.short),
        loss?.text,
      ),
    ),
  );
}

const answer = (question: string, value: Piece, detail: string | undefined): Piece =>
  h(
    "div",
    { key: question },
    h("dt", {}, question),
    h("dd", {}, value, detail === undefined || detail === "" ? undefined : h("p", { class: "quiet" }, detail)),
  );

/** What to do; "nothing" is an answer too. */
export function todoView({ state, advice, notes }: Verdict): Piece {
  const calm = advice.length === 0 && notes.length === 0;
  return h(
    "section",
    { class: `card todo ${calm ? "calm" : state.tone}`, "aria-labelledby": "todo" },
    h("h2", { id: "todo" }, "What to do"),
    calm ? h("p", { class: "nothing" }, glyph("check", "ok"), "Nothing.") : undefined,
    notes.map(({ reason, message, level }) =>
      h(
        "p",
        { class: `note ${level}`, key: `${reason}${message}` },
        h("strong", {}, spaced(reason)),
        " ",
        h("span", { class: "message" }, message),
      ),
    ),
    advice.map(({ text, commands }) =>
      h(
        "div",
        { class: "advice", key: text },
        h("p", { class: "advice-text" }, text),
        commands.map((one) => command(one.label, one.text, one.risky)),
      ),
    ),
  );
}
