/** No reviews, however large and however many, grow the bundled server, started as the manifest starts it, towards the limit of its container. */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { drive } from "../../../bench/webhook/load.ts";
import { reviews } from "../../../bench/webhook/reviews.ts";
import { remove, startOurs } from "../../../bench/webhook/servers.ts";
import { createAuthority, writePair } from "./certificate.ts";

/** Measured: 114 to 116 MiB; 171 to 200 when all callers are read at once. The container may have 256. */
const MOST_MIB = 145;
const CALLERS = 24;

test("a flood of the largest reviews from many callers stays far below the container's limit", async () => {
  const folder = mkdtempSync(join(tmpdir(), "redis-ha-memory-"));
  const authority = await createAuthority();
  writePair(folder, await authority.issue("localhost"));
  const server = await startOurs(22_480, folder, "0");
  try {
    const target = { port: server.port, ca: authority.ca };
    const [, usual, , largest] = reviews();
    if (usual === undefined || largest === undefined) throw new Error("the benchmark has no such reviews");
    await drive(target, usual.body, { connections: CALLERS, forMs: 1500 });
    const { latenciesMs } = await drive(target, largest.body, { connections: CALLERS, forMs: 4000 });
    const { mostMiB } = server.memory();
    console.log(`${latenciesMs.length} reviews of ${largest.name} from ${CALLERS} callers: ${mostMiB.toFixed(0)} MiB at most`);
    expect(latenciesMs.length).toBeGreaterThanOrEqual(CALLERS);
    expect(mostMiB).toBeLessThan(MOST_MIB);
  } finally {
    server.stop();
    remove(folder);
  }
}, 60_000);
