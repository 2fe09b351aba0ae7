/** A real Chromium: the machine's own, or Debian's, installed when it is missing. It gets no way to any address but this machine's. */
import { existsSync } from "node:fs";
import { env } from "node:process";
import { type Browser, chromium } from "playwright-core";
import { installPackage } from "../cluster/build/debian.ts";

/** Where Debian has it; REDIS_HA_CHROMIUM names another one. */
const DEBIAN = { name: "chromium", file: "/usr/bin/chromium" } as const;

/** Rejects with what to do where there is none and none can be installed. */
export async function chromiumFile(): Promise<string> {
  const given = env.REDIS_HA_CHROMIUM;
  if (given !== undefined) {
    if (!existsSync(given)) throw new Error(`REDIS_HA_CHROMIUM names ${given}, which does not exist`);
    return given;
  }
  if (!existsSync(DEBIAN.file)) await installPackage(DEBIAN.name, DEBIAN.file);
  return DEBIAN.file;
}

export async function openBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: await chromiumFile(),
    // Tests run as root, in containers with a small /dev/shm.
    args: [
      "--no-sandbox",
      "--disable-dev-shm-usage",
      "--force-color-profile=srgb",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
}
