/** The page in a real Chromium on the real cluster, by the way that `redis-ha dashboard` takes: a failover as a person sees it. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { env } from "node:process";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { startDashboard } from "../../cli/dashboard-server.ts";
import { createWay } from "../../cli/dashboard-way.ts";
import { accessibilityProblems } from "../page/axe.ts";
import { openBrowser } from "../page/browser.ts";
import { arrowAtRest, openPage, PHONE } from "../page/open.ts";
import { EXAMPLES, SYSTEM, signal } from "./lib/bed.ts";
import { WHOLE_MS } from "./lib/group.ts";
import { test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const SEEN_MS = 30_000;

/** REDIS_HA_SHOTS=FOLDER keeps pictures of the page, for docs/. */
async function shoot(page: Page, name: string): Promise<void> {
  const folder = env.REDIS_HA_SHOTS;
  if (folder === undefined) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}

test("a person who watches the page sees the master die, the arrow move, and the old one return", async ({ bed, space }) => {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const dashboard = await startDashboard(createWay({ kube: bed.kube, system: SYSTEM }), 0);
  const browser = await openBrowser();
  try {
    const address = `http://127.0.0.1:${dashboard.port}/#/${space.namespace}/cache`;
    const { page, complaints, hosts } = await openPage(browser, address);
    const before = await group.master();
    await page.waitForSelector(`.arrow[data-arrow="${before.name}"][data-good="yes"]`, { timeout: SEEN_MS });
    await page.waitForSelector('.verdict[data-state="Healthy"]', { timeout: SEEN_MS });
    expect(await page.locator(".link.live").count()).toBe(EXPECTED.replicas);
    expect(await page.locator("[data-leads]").getAttribute("data-leads"), "the leader is asked first").toBe("true");
    await arrowAtRest(page);
    const shaft = await page.locator(".arrow .shaft").getAttribute("d");

    await signal(bed, space.namespace, before.name, "redis", "SIGKILL");
    await page.waitForSelector(`.arrow[data-good="yes"]:not([data-arrow="${before.name}"])`, { timeout: SEEN_MS });
    const after = await group.master();
    expect(after.name).not.toBe(before.name);
    await page.waitForSelector(`.arrow[data-arrow="${after.name}"][data-good="yes"]`, { timeout: SEEN_MS });
    await page.waitForSelector(`[data-pod="${after.name}"][data-role="master"]`, { timeout: SEEN_MS });
    await arrowAtRest(page);
    expect(await page.locator(".arrow .shaft").getAttribute("d")).not.toBe(shaft);
    await page.waitForSelector('.news [data-reason="FailedOver"], .news [data-reason="FailoverBySentinel"]', {
      timeout: SEEN_MS,
    });

    // The old one comes back as a replica, and all is well again: the page says so without having been loaded anew.
    await page.waitForSelector(`[data-pod="${before.name}"][data-role="replica"]`, { timeout: 60_000 });
    await page.waitForSelector('.verdict[data-state="Healthy"]', { timeout: SEEN_MS });
    expect(await page.locator(".verdict .answers dd").first().textContent()).toContain(after.name);
    expect(await accessibilityProblems(page)).toEqual([]);
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([`127.0.0.1:${dashboard.port}`]);
    await shoot(page, "group-light");
    for (const [name, options] of [
      ["group-dark", { colorScheme: "dark" }],
      ["group-phone", { viewport: PHONE, deviceScaleFactor: 2 }],
    ] as const) {
      if (env.REDIS_HA_SHOTS === undefined) continue;
      const other = await openPage(browser, address, options);
      await other.page.waitForSelector(".arrow[data-good='yes']");
      await shoot(other.page, name);
      await other.close();
    }
  } finally {
    await browser.close();
    await dashboard.close();
  }
});
