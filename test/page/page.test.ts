/** The page in a real Chromium, with a made-up feed: every state, both colours, phone width, keyboard, a lost connection. Its real cluster is in test/e2e/page.test.ts. */
import fastify, { type FastifyInstance } from "fastify";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { servePage } from "../../page/server/routes.ts";
import { accessibilityProblems } from "./axe.ts";
import { openBrowser } from "./browser.ts";
import { type Feed, madeUpFeed } from "./feed.ts";
import { arrowAtRest, LAPTOP, openPage, PHONE } from "./open.ts";

const A = "cache-6f9d7b5c4-x8k2a";
const B = "cache-6f9d7b5c4-m4t7b";
/** Within the made-up story: the master has died and B has taken over. */
const AFTER_FAILOVER_MS = 10_000;
const VIEWS = [
  "",
  "#/shop/cache",
  "#/shop/sessions",
  "#/billing/ledger",
  "#/search/index",
  "#/legacy/queue",
  "#/team-b/new",
  "#/team-b/hanging",
  "#/no/such",
];

/** Keeps every form that the arrow is drawn in, in `seen`. */
const WATCH_SHAFT = `
  globalThis.seen = new Set();
  const shaft = document.querySelector(".arrow .shaft");
  new MutationObserver(() => seen.add(shaft.getAttribute("d"))).observe(shaft, { attributes: true });
`;

let browser: Browser;
let app: FastifyInstance;
let feed: Feed;
let start: number;
let address: string;

async function serve(port = 0): Promise<void> {
  app = fastify({ forceCloseConnections: true });
  servePage(app, feed);
  address = `${await app.listen({ port, host: "127.0.0.1" })}/`;
}

beforeAll(async () => {
  browser = await openBrowser();
});

beforeEach(async () => {
  start = Date.now();
  feed = madeUpFeed(start);
  await serve();
  return async () => await app.close();
});

afterAll(async () => await browser.close());

describe.each(["light", "dark"] as const)("%s", (colorScheme) => {
  test("every view can be used by everybody: names, roles, contrast", async () => {
    const { page, close, complaints } = await openPage(browser, address, { colorScheme });
    const problems: string[] = [];
    for (const view of VIEWS) {
      await page.goto(`${address}${view}`);
      await page.waitForSelector("#title");
      problems.push(...(await accessibilityProblems(page)).map((problem) => `${view}: ${problem}`));
    }
    expect(problems).toEqual([]);
    expect(complaints).toEqual([]);
    await close();
  });
});

test("nothing reaches beyond the screen, down to the narrowest phone", async () => {
  for (const viewport of [LAPTOP, { width: 800, height: 900 }, PHONE, { width: 320, height: 640 }]) {
    const { page, close } = await openPage(browser, address, { viewport });
    for (const view of VIEWS) {
      await page.goto(`${address}${view}`);
      await page.waitForSelector("#title");
      const width = await page.evaluate<number>("document.documentElement.scrollWidth");
      expect(width, `${view} at ${viewport.width}`).toBeLessThanOrEqual(viewport.width);
    }
    await close();
  }
});

test("asks nobody but its own server, and breaks no rule of its policy", async () => {
  const { page, complaints, hosts, close } = await openPage(browser, address);
  for (const view of VIEWS) {
    await page.goto(`${address}${view}`);
    await page.waitForSelector("#title");
  }
  expect([...hosts]).toEqual([new URL(address).host]);
  expect(complaints).toEqual([]);
  const forbidden = await page.evaluate(`(() => {
    try {
      document.createElement("script").textContent = "1";
      return "taken";
    } catch (error) {
      return String(error);
    }
  })()`);
  expect(forbidden).toContain("TrustedScript");
  await close();
});

test("a failover: the arrow travels to the new master, the answers follow, the event is there", async () => {
  const { page, close } = await openPage(browser, `${address}#/shop/cache`);
  await page.waitForSelector(`[data-arrow="${A}"][data-good="yes"]`);
  await arrowAtRest(page);
  const shaft = (): Promise<string | null> => page.locator(".arrow .shaft").getAttribute("d");
  const before = await shaft();
  // Every place that the tip is drawn at on its way.
  await page.evaluate(WATCH_SHAFT);
  feed.step(start + AFTER_FAILOVER_MS);
  await page.waitForSelector(`[data-arrow="${B}"][data-good="yes"]`);
  await arrowAtRest(page);
  expect(await shaft()).not.toBe(before);
  expect(await page.evaluate("seen.size"), "drawn on its way, not only at its end").toBeGreaterThan(3);
  expect(await page.locator(".verdict .answers dd").first().textContent()).toBe(B);
  expect(await page.locator(`[data-pod="${B}"]`).getAttribute("data-role")).toBe("master");
  expect(await page.locator('.news [data-reason="FailedOver"]').first().textContent()).toContain(`${B} is master now`);
  expect(await page.locator(".change").first().getAttribute("data-kind")).toBe("failover");
  expect(await page.locator(".change").first().locator("tbody tr").allInnerTexts()).toHaveLength(5);
  await close();
});

test("who asked for less motion gets the arrow at its end at once, and nothing that flows", async () => {
  const { page, close } = await openPage(browser, `${address}#/shop/cache`, { reducedMotion: "reduce" });
  await page.waitForSelector(`[data-arrow="${A}"]`);
  await arrowAtRest(page);
  const before = await page.locator(".arrow .shaft").getAttribute("d");
  await page.evaluate(WATCH_SHAFT);
  feed.step(start + AFTER_FAILOVER_MS);
  await page.waitForSelector(`[data-arrow="${B}"][data-good="yes"]`);
  await arrowAtRest(page);
  // It is drawn anew where it stands now and then; that is no motion.
  expect(await page.evaluate(`[...seen].filter((place) => place !== ${JSON.stringify(before)}).length`)).toBe(1);
  expect(await page.evaluate("document.getAnimations().length")).toBe(0);
  await close();
});

test("by keyboard alone: to a halted group, its command copied, and back", async () => {
  const { page, close } = await openPage(browser, address, { permissions: ["clipboard-read", "clipboard-write"] });
  const focused = (): Promise<string> =>
    page.evaluate<string>("document.activeElement.getAttribute('href') ?? document.activeElement.id");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("#main");
  await page.keyboard.press("Enter");
  expect(await focused()).toBe("main");
  await page.keyboard.press("Tab");
  expect(await focused()).toBe("#/billing/ledger");
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=Halted manual recovery");
  await page.waitForSelector("h1:focus");
  const command = "kubectl -n billing annotate service ledger-master redis-ha.io/promote=ledger-a";
  await page.locator(`[data-copy="${command}"]`).focus();
  await page.keyboard.press("Enter");
  await page.waitForSelector("#told:text('Copied')", { state: "attached" });
  expect(await page.evaluate("navigator.clipboard.readText()")).toBe(command);
  await page.goBack();
  await page.waitForSelector(".groups");
  await close();
});

test("what somebody has folded or focused stays so while the page goes on", async () => {
  const { page, close } = await openPage(browser, `${address}#/shop/cache`);
  const fold = page.locator(".change summary").first();
  await fold.click();
  expect(await page.locator(".change").first().getAttribute("open")).toBeNull();
  for (let ms = 250; ms <= 1000; ms += 250) {
    feed.step(start + ms);
    const offset = 184_220_113 + Math.floor(ms * 3.7);
    await page.waitForSelector(`[data-pod="${A}"] >> text=${String(offset).slice(-3)}`);
  }
  expect(await page.locator(".change").first().getAttribute("open")).toBeNull();
  expect(await page.evaluate("document.activeElement.tagName")).toBe("SUMMARY");
  await close();
});

test("a lost connection is told, and the page goes on when the server is back", async () => {
  const { page, close } = await openPage(browser, `${address}#/shop/cache`);
  await page.waitForSelector(".pill.ok");
  const { port } = new URL(address);
  await app.close();
  await page.waitForSelector("text=No answer from redis-ha since", { timeout: 15_000 });
  expect(await page.locator(".pill").textContent()).toBe("Lost");
  expect(await page.locator(".picture").getAttribute("class")).toContain("old");
  await serve(Number(port));
  await page.waitForSelector(".pill.ok", { timeout: 15_000 });
  expect(await page.locator("#banner .banner").count()).toBe(0);
  await close();
});

test("old facts are not called the present", async () => {
  const { page, close } = await openPage(browser, `${address}#/team-b/hanging`);
  expect(await page.locator(".banner").textContent()).toContain("has not read the group since");
  expect(await page.locator(".verdict").getAttribute("data-state")).toBe("Stale");
  await close();
});
