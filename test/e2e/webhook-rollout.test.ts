/** Our own roll-outs and losses under a steady load of admissions through the real API server: none fails. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { CoreEvent, Deployment, Pod } from "../../kube/types.ts";
import { startAdmissions } from "./lib/admission-load.ts";
import { withNamespace } from "./lib/admission-space.ts";
import { type Bed, SYSTEM } from "./lib/bed.ts";
import { test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

/** More often than there are replicas. */
const SPOILT = 3;
const PER_SECOND = Number(process.env.REDIS_HA_ADMISSIONS ?? 100);

async function underLoad(bed: Bed, what: string, act: () => Promise<void>): Promise<void> {
  await withNamespace(bed, async (namespace) => {
    const load = await startAdmissions(bed, namespace, PER_SECOND);
    await act();
    const { sent, failures, seconds, p50Ms, p99Ms, ownCpu, leftOut } = await load.stop();
    const rate = `${sent} admissions in ${seconds.toFixed(1)} s (${(sent / seconds).toFixed(0)}/s, ${leftOut} left out)`;
    const cost = `generator ${ownCpu.toFixed(2)} of a core`;
    say(`${what}: ${rate}, ${failures.length} failed; p50 ${p50Ms} ms, p99 ${p99Ms} ms; ${cost}`);
    expect(failures.slice(0, 20)).toEqual([]);
    expect(sent).toBeGreaterThan(100);
  });
}

async function untilWhole(bed: Bed): Promise<void> {
  await waitUntil("two ready replicas and no other", 90_000, async () => {
    const { status, spec } = await bed.kube.get<Deployment>(PATH.deployments(SYSTEM, "redis-ha"));
    const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM));
    if (status?.readyReplicas !== spec?.replicas || items.length !== spec?.replicas)
      throw new Error(`${status?.readyReplicas} ready of ${items.length}`);
  });
}

test("a rolling update of redis-ha", async ({ bed }) => {
  await untilWhole(bed);
  await underLoad(bed, "rolling update", async () => {
    await bed.kubectl(["-n", SYSTEM, "rollout", "restart", "deployment/redis-ha"]);
    await bed.kubectl(["-n", SYSTEM, "rollout", "status", "deployment/redis-ha", "--timeout=120s"], { timeoutMs: 130_000 });
    await untilWhole(bed);
  });
});

test("kubectl delete pod of each replica", async ({ bed }) => {
  await untilWhole(bed);
  await underLoad(bed, "delete of either replica", async () => {
    const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM));
    for (const { metadata } of items) {
      await bed.kubectl(["-n", SYSTEM, "delete", "pod", metadata?.name ?? ""]);
      await untilWhole(bed);
    }
  });
});

test("the Secret with the certificates deleted, then spoiled", async ({ bed }) => {
  await untilWhole(bed);
  const secret = PATH.secrets(SYSTEM, "redis-ha-webhook-tls");
  const uid = async (): Promise<string> => {
    const { metadata, data } = await bed.kube.get<{ metadata: { uid: string }; data: Record<string, string> }>(secret);
    return `${metadata.uid} ${data["tls.crt"]}`;
  };
  await underLoad(bed, "certificates repaired", async () => {
    const repaired = async (known: string): Promise<string> =>
      await waitUntil("a repaired Secret", 20_000, async () => {
        const now = await uid();
        if (now === known) throw new Error("it is still the old one");
        return now;
      });
    const before = await uid();
    await bed.kube.remove(secret);
    let now = await repaired(before);
    // A new CA is published first and served after --propagation-ms.
    await sleep(8000);
    for (let time = 0; time < SPOILT; time += 1) {
      await bed.kube.mergePatch(secret, { data: { "tls.key": "Z2FyYmFnZQ==" } });
      now = await repaired(now);
    }
    await sleep(3000);
  });
  const { items } = await bed.kube.list<CoreEvent>(PATH.events(SYSTEM));
  const told = items.filter(({ reason }) => reason === "CertificateRepaired");
  expect(told.length).toBeGreaterThan(0);
  // One of the two replicas has repaired the same damage more than once: the Event that was there is counted up.
  expect(Math.max(...told.map(({ count }) => count ?? 1))).toBeGreaterThan(1);
});
