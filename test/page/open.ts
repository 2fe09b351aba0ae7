/** A page of a test: what it complains of and whom it asks is kept, and a test fails for it. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

export interface Opened {
  readonly page: Page;
  /** errors of scripts, of the content-security-policy, and of the console */
  readonly complaints: readonly string[];
  /** hosts that were asked */
  readonly hosts: ReadonlySet<string>;
  close(): Promise<void>;
}

export const LAPTOP = { width: 1280, height: 900 } as const;
export const PHONE = { width: 390, height: 844 } as const;

export async function openPage(browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await browser.newContext({ viewport: LAPTOP, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  const hosts = new Set<string>();
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  await page.goto(address);
  await page.waitForSelector("#title").catch(async (error: unknown) => {
    const shown = await page.locator("body").textContent();
    throw new Error(`the page shows "${shown}" and complains: ${complaints.join("; ") || "of nothing"}`, { cause: error });
  });
  return { page, complaints, hosts, close: () => context.close() };
}

/** Resolves once no arrow travels any more. */
export async function arrowAtRest(page: Page): Promise<void> {
  const arrow = page.locator(".arrow");
  for (const endsAt = Date.now() + 5000; ; ) {
    const wanted = await arrow.getAttribute("data-y");
    const shaft = (await arrow.locator(".shaft").getAttribute("d")) ?? "";
    // Its last coordinate, or in the narrow form the height of its last line.
    if (wanted === null || shaft.endsWith(` ${wanted}`) || shaft.includes(` ${wanted}H`)) return;
    if (Date.now() > endsAt) throw new Error(`the arrow is drawn as ${shaft} and should end at ${wanted}`);
    await page.waitForTimeout(20);
  }
}
