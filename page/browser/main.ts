/** The page: what was heard is kept here, and drawn anew whenever it changes, and once a second for the times. */
import { type Banner, bannerOf, isLive, replicaText, staleBanner } from "../model/freshness.ts";
import { pictureOf } from "../model/picture.ts";
import { verdictOf } from "../model/verdict.ts";
import type { GroupDetail, NewsItem, Overview } from "../wire.ts";
import { changesView, historyView } from "./changes.ts";
import { Stream } from "./connection.ts";
import { copyOnClick } from "./copy.ts";
import { detailsView } from "./details.ts";
import { h, type Piece, render } from "./dom.ts";
import { newsOf, newsView } from "./news.ts";
import { overviewView } from "./overview.ts";
import { moveArrows, pictureView } from "./picture.ts";
import { startTheme } from "./theme.ts";
import { todoView, verdictView } from "./verdict.ts";

const NEWS_KEPT = 300;

const byId = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
};

let overview: Overview | undefined;
/** undefined: not heard yet; null: this replica knows no such group */
let group: GroupDetail | null | undefined;
let news: readonly NewsItem[] = [];
/** this replica's process: another one counts its news anew */
let startedAt = 0;
/** the replica's clock minus ours, ms */
let ahead = 0;
let drawn = 0;
/** another view was asked for: a screen reader goes on from its title as soon as that is there */
let toTitle = false;

/** `namespace/cluster` of the address, or undefined for all groups. */
function chosen(): string | undefined {
  const [, namespace, cluster] = location.hash.split("/");
  return namespace && cluster ? `${decodeURIComponent(namespace)}/${decodeURIComponent(cluster)}` : undefined;
}

const stream = new Stream({
  overview: (message) => {
    ahead = message.at - Date.now();
    if (message.replica.startedAt !== startedAt) news = [];
    startedAt = message.replica.startedAt;
    overview = message;
    draw();
  },
  group: (message) => {
    if (`${message.namespace}/${message.cluster}` !== chosen()) return;
    group = message.group;
    draw();
  },
  news: (items) => {
    const newest = news.at(-1)?.seq ?? 0;
    news = [...news, ...items.filter(({ seq }) => seq > newest)].slice(-NEWS_KEPT);
    draw();
  },
  tick: ({ at }) => {
    ahead = at - Date.now();
    draw();
  },
  changed: draw,
});

/** Many messages become one drawing; a hidden page is drawn all the same, but not in step with the screen. */
function draw(): void {
  if (drawn !== 0) return;
  drawn = document.hidden ? setTimeout(drawNow, 50) : requestAnimationFrame(drawNow);
}

function drawNow(): void {
  drawn = 0;
  const now = Date.now();
  const serverNow = now + ahead;
  const live = isLive(stream.connection, now);
  const wanted = chosen();
  const banner = bannerOf(stream.connection, overview?.replica, now);
  render(byId("banner"), banner === undefined ? [] : [bannerView(banner)]);
  render(byId("live"), liveView(live));
  const main = byId("main");
  main.classList.toggle("old", !live && overview !== undefined);
  if (wanted === undefined) render(main, overview === undefined ? waiting() : overviewView(overview, serverNow));
  else render(main, groupView(wanted, serverNow, live));
  moveArrows(main);
  document.title = titleOf(wanted);
  const title = document.getElementById("title");
  if (toTitle && title !== null) {
    toTitle = false;
    title.focus({ preventScroll: true });
  }
}

const waiting = (): Piece[] => [h("p", { class: "lead quiet", role: "status" }, "Waiting for the first answer…")];

const bannerView = ({ tone, text }: Banner): Piece => h("p", { class: `banner ${tone}`, role: "alert" }, text);

function liveView(live: boolean): Piece[] {
  const replica = overview?.replica;
  if (replica === undefined) return [h("span", { class: "pill mute" }, h("span", { class: "dot" }), "Not connected")];
  const { short, long } = replicaText(replica);
  return [
    h("span", { class: `pill ${live ? "ok" : "bad"}`, title: long }, h("span", { class: "dot" }), live ? "Live" : "Lost"),
    h(
      "span",
      { class: "replica" },
      h("span", { class: "mono" }, replica.pod),
      h("span", { class: "quiet", "data-leads": String(replica.leads) }, short),
    ),
  ];
}

function titleOf(wanted: string | undefined): string {
  if (wanted === undefined || !group) return "redis-ha";
  return `${verdictOf(group, []).state.word} · ${group.cluster} · redis-ha`;
}

function groupView(wanted: string, now: number, live: boolean): Piece[] {
  const back = h("p", { class: "back" }, h("a", { href: "#/" }, "← All groups"));
  if (group === undefined) return [back, ...waiting()];
  if (group === null) {
    return [
      back,
      h("h1", { tabindex: -1, id: "title" }, wanted.split("/")[1] ?? ""),
      h(
        "p",
        { class: "lead" },
        `This replica of redis-ha knows no group ${wanted}. It may be gone, or its first pod is not there yet.`,
      ),
    ];
  }
  const items = newsOf(group, news);
  const verdict = verdictOf(group, news);
  const stale = staleBanner(group);
  return [
    back,
    h(
      "h1",
      { tabindex: -1, id: "title" },
      h("span", {}, group.cluster),
      h("span", { class: "quiet namespace" }, `in ${group.namespace}`),
    ),
    ...(stale === undefined ? [] : [bannerView(stale)]),
    h(
      "div",
      { class: `group-page${stale === undefined ? "" : " old"}` },
      verdictView(verdict, now),
      todoView(verdict),
      pictureView(pictureOf(group), group, !live || stale !== undefined),
      newsView(items, overview?.replica),
      changesView(group, overview?.replica.leads ?? false, now),
      historyView(group, now),
      detailsView(group, now),
    ),
  ];
}

function navigate(): void {
  group = undefined;
  stream.open(chosen());
  draw();
}

addEventListener("hashchange", () => {
  navigate();
  scrollTo(0, 0);
  toTitle = true;
});
addEventListener("resize", draw);
document.addEventListener("visibilitychange", draw);
byId("skip").addEventListener("click", (event) => {
  // Not by the address: that says which group is shown.
  event.preventDefault();
  byId("main").focus();
});
copyOnClick(document);
startTheme(byId("theme"));
setInterval(() => {
  stream.check();
  draw();
}, 1000);
navigate();
