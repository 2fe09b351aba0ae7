import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { EXAMPLES, signal } from "./lib/bed.ts";
import { underFault, verdict } from "./lib/fault.ts";
import { WHOLE_MS } from "./lib/group.ts";
import { test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
/** As users write them; what version each is, INFO tells. */
const SERVERS = [
  ["docker.io/library/redis:7", /^redis_version:7\.0\./m],
  ["docker.io/library/redis:8", /^redis_version:8\.0\./m],
  ["docker.io/valkey/valkey:8", /^valkey_version:8\.1\./m],
  ["docker.io/valkey/valkey:9", /^valkey_version:9\./m],
] as const;

describe("every supported server", () => {
  test.for(SERVERS)("%s: quickstart and a failover", async ([image, version], { bed, space }) => {
    const group = space.group();
    const quickstart = readFileSync(join(EXAMPLES, "quickstart.yaml"), "utf8");
    await space.apply({ yaml: quickstart.replaceAll("docker.io/library/redis:7", image) });
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    expect(await space.client.command(await group.throughService(), "INFO", "server")).toMatch(version);
    await space.client.startWriters(await group.throughService());
    const killed = await underFault(group, `kill -9 of ${image}`, EXPECTED, async (pod) => {
      await signal(bed, space.namespace, pod, "redis", "SIGKILL");
    });
    expect(killed.gapMs).toBeLessThan(4000);
    expect((await verdict(group)).missing).toBeLessThanOrEqual(8);
  });
});
