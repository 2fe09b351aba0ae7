/**
 * A group with TLS, as a platform would run it: a certificate for servers only, by the names of the Service; with REDIS_HA_TLS=all (npm run test:tls) also its renewal
 * under another CA, for which the sentinels take turns.
 */
import { join } from "node:path";
import { env } from "node:process";
import { expect } from "vitest";
import type { PemPair } from "../../certs/authority.ts";
import { REDIS_PORT, REQUEST, SENTINEL_PORT } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { type Bed, EXAMPLES, signal } from "./lib/bed.ts";
import { noticedIn } from "./lib/client-pod.ts";
import { toldOf } from "./lib/events.ts";
import { underFault, verdict } from "./lib/fault.ts";
import { type Group, WHOLE_MS } from "./lib/group.ts";
import { type Space, test } from "./lib/scenario.ts";
import { makeDayAuthority, makeTlsSecret, renewTlsSecret, TLS_SERVICE } from "./lib/tls.ts";
import { waitUntil } from "./lib/wait.ts";

const ALL = env.REDIS_HA_TLS === "all";
const EXPECTED = { replicas: 2, sentinels: 3 };
/** Four turns of a sentinel, and two kubelets, on a busy machine. */
const TEST_MS = 400_000;
/** A busy machine may be slow; the benchmark measures, these tests only refuse what is out of all proportion. */
const HANDOVER_GAP_MS = 3000;
const KILL_GAP_MS = 4000;
/** As asynchronous replication loses them; see failover.test.ts. */
const KILL_LOST = 8;

/** The Secret changes; the kubelets look at once, as they do whenever a pod has changed, and not only every minute. */
async function renew(bed: Bed, namespace: string, authority: PemPair): Promise<void> {
  await renewTlsSecret(bed, namespace, authority);
  await bed.kubectl(["-n", namespace, "annotate", "--overwrite", "pods", "-l", "app=cache", `example.com/look=${Date.now()}`]);
}

/** Throws unless every server and every sentinel shows a certificate of this CA. */
async function allShow(group: Group, { client }: Space, authority: PemPair): Promise<void> {
  for (const { status, metadata } of await group.pods()) {
    for (const port of [REDIS_PORT, SENTINEL_PORT]) {
      const target = { ...(await group.at(status?.podIP ?? "", port)), tls: { ca: authority.cert, servername: TLS_SERVICE } };
      await client.command(target, "PING").catch((error: unknown) => {
        throw new Error(`${metadata?.name}:${port}: ${String(error)}`);
      });
    }
  }
}

/** Under traffic, and nobody's connection is closed or refused; a busy machine may be late. */
async function renewal({ bed, group, space, next }: { bed: Bed; group: Group; space: Space; next: PemPair }): Promise<void> {
  const before = await group.master();
  await space.client.window(true);
  await renew(bed, space.namespace, next);
  await waitUntil("all to show the new certificate", 120_000, async () => await allShow(group, space, next));
  await waitUntil("a whole group after the renewal", WHOLE_MS, async () => await group.whole(EXPECTED));
  const renewed = await space.client.window();
  expect(noticedIn(renewed), JSON.stringify(renewed)).toEqual([]);
  expect((await group.master()).name, "nobody was failed over").toBe(before.name);
  await toldOf(bed, space.namespace, "Service", TLS_SERVICE, REASON.GroupCertificateRenewed, { withinMs: 60_000 });
}

test(
  `a group with TLS: plain and mistrustful clients, ${ALL ? "a renewed certificate, " : ""}a hand-over, a kill`,
  async ({ bed, space }) => {
    const group = space.group();
    const [first, second] = [await makeDayAuthority(), await makeDayAuthority()];
    group.authority = `${first.cert}${second.cert}`;
    await makeTlsSecret(bed, space.namespace, first);
    await space.apply({ file: join(EXAMPLES, "tls.yaml") });
    await waitUntil("a whole group", 150_000, async () => await group.whole(EXPECTED));

    const target = await group.throughService();
    const { tls: _, ...bare } = target;
    await expect(space.client.commands(bare, [["PING"]]), "a client without TLS").rejects.toThrow();
    const stranger = { ...target, tls: { ca: second.cert, servername: TLS_SERVICE } };
    await expect(space.client.commands(stranger, [["PING"]]), "a client that trusts others").rejects.toThrow(
      /VERIFY|SELF_SIGNED/,
    );

    await space.client.startWriters(target);
    await space.client.calm();
    if (ALL) await renewal({ bed, group, space, next: second });
    const asked = await underFault(group, "handover, TLS", EXPECTED, async () => {
      await bed.kubectl(["-n", space.namespace, "annotate", "service", TLS_SERVICE, `${REQUEST.handover}=any`]);
    });
    expect(asked.gapMs).toBeLessThan(HANDOVER_GAP_MS);
    expect((await verdict(group)).missing, "a hand-over loses nothing, nor a renewal before it").toBe(0);

    await space.client.startWriters(target);
    const killed = await underFault(group, "kill -9, TLS", EXPECTED, async (pod) => {
      await signal(bed, space.namespace, pod, "redis", "SIGKILL");
    });
    expect(killed.gapMs).toBeLessThan(KILL_GAP_MS);
    expect((await verdict(group)).missing).toBeLessThanOrEqual(KILL_LOST);
  },
  TEST_MS,
);
