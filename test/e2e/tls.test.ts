import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { issueLeaf, makeAuthority, type PemPair } from "../../certs/authority.ts";
import { PATH } from "../../kube/paths.ts";
import { masterNames, masterServiceName } from "../../model/names.ts";
import { EXAMPLES, signal } from "./lib/bed.ts";
import { underFault, verdict } from "./lib/fault.ts";
import { test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const DAY_MS = 86_400_000;
const NAME = masterServiceName("cache");

/** As cert-manager makes it; for servers only, as public CAs do. */
async function secretOf(namespace: string, authority: PemPair, lifeMs: number): Promise<Record<string, string>> {
  const leaf = await issueLeaf(authority, [NAME, ...masterNames(namespace, NAME)], lifeMs, Date.now());
  return { "tls.crt": leaf.cert, "tls.key": leaf.key, "ca.crt": authority.cert };
}

test("a group with TLS: whole, failed over, handed over", async ({ bed, space }) => {
  const group = space.group();
  const authority = await makeAuthority(30 * DAY_MS, Date.now());
  group.authority = authority.cert;
  const metadata = { name: "cache-tls", namespace: space.namespace };
  const stringData = await secretOf(space.namespace, authority, DAY_MS);
  await bed.kube.create(PATH.secrets(space.namespace), { metadata, type: "kubernetes.io/tls", stringData });
  const quickstart = readFileSync(join(EXAMPLES, "quickstart.yaml"), "utf8");
  await space.apply({
    yaml: quickstart.replace("redis-ha.io/cluster: cache", "redis-ha.io/cluster: cache\n    redis-ha.io/tls: secret:cache-tls"),
  });
  await waitUntil("a whole group", 40_000, async () => await group.whole(EXPECTED));

  await space.client.startWriters(await group.throughService());
  const killed = await underFault(group, "kill -9, TLS", EXPECTED, async (pod) => {
    await signal(bed, space.namespace, pod, "redis", "SIGKILL");
  });
  expect(killed.window.gapMs).toBeLessThan(4000);
  const asked = await underFault(group, "handover, TLS", EXPECTED, async () => {
    await bed.kubectl(["-n", space.namespace, "annotate", "service", NAME, "redis-ha.io/handover=any"]);
  });
  expect(asked.window.gapMs).toBeLessThan(3000);
  expect((await verdict(group)).missing).toBeLessThanOrEqual(8);
});
