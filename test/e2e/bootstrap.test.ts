/**
 * A new group under the worst conditions: the preferred first master is on a slow node, and the handler that has just claimed it stands still, is overtaken by the
 * other one and wakes up again in the middle of its act. Exactly one first master, and never a second one.
 */
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Service } from "../../kube/types.ts";
import { MARK, masterServiceName } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { SYSTEM, signal } from "./lib/bed.ts";
import { countOf, seed } from "./lib/data.ts";
import { eventsSoFar, toldOf } from "./lib/events.ts";
import { type Group, WHOLE_MS } from "./lib/group.ts";
import { leader, untilWell } from "./lib/handlers.ts";
import { test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const TEST_MS = 240_000;
/** Longer than the Lease of a holder that fell silent. */
const OVERTAKEN_MS = 30_000;
const KEYS = 1000;
/** The slow node: its pod's containers start so much later, s. */
const SLOW_S = 4;

const redis = `{ name: redis, image: "docker.io/library/redis:7", imagePullPolicy: IfNotPresent, ports: [{ containerPort: 6379 }] }`;
const deployment = (name: string, replicas: number, annotations: string, more: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name} }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} }, annotations: { redis-ha.io/cluster: cache, ${annotations} } }
    spec:
      ${more}
      containers: [${redis}]
`;
const slow = `initContainers: [{ name: slow, image: "docker.io/library/redis:7", imagePullPolicy: IfNotPresent, command: [sleep, "${SLOW_S}"] }]`;
const MANIFEST = [
  deployment("preferred", 1, "redis-ha.io/role: master, redis-ha.io/sentinel: sidecar", slow),
  deployment("others", 2, "redis-ha.io/role: replica, redis-ha.io/sentinel: sidecar", ""),
].join("---\n");

async function record(group: Group): Promise<{ pod: string; reason: string }> {
  const service = await group.bed.kube.get<Service>(PATH.services(group.namespace, masterServiceName(group.cluster)));
  const text = service.metadata?.annotations?.[MARK.master];
  if (text === undefined) throw new Error("nobody is claimed");
  return JSON.parse(text) as { pod: string; reason: string };
}

/** Of which first masters is told by now. */
async function firstMasters(group: Group): Promise<Set<string>> {
  const events = await eventsSoFar(group.bed, group.namespace, "Service", masterServiceName(group.cluster));
  return new Set(events.filter(({ reason }) => reason === REASON.Bootstrapped).map(({ message }) => message));
}

test("the leading handler is stopped in the middle, overtaken and woken; then it is killed", { timeout: TEST_MS }, async ({
  bed,
  space,
}) => {
  const group = space.group();
  const first = await leader(bed);
  await space.apply({ yaml: MANIFEST });
  const claim = await waitUntil("the claim of the first master", WHOLE_MS, async () => await record(group));
  say(`claimed ${claim.pod} (${claim.reason}); ${first} is stopped`);
  await signal(bed, SYSTEM, first, "redis-ha", "SIGSTOP");
  try {
    const second = await waitUntil("the other handler to lead", OVERTAKEN_MS, async () => {
      const now = await leader(bed);
      if (now === first) throw new Error(`${first} still leads`);
      return now;
    });
    await waitUntil("the first master", WHOLE_MS, async () => await group.ready(EXPECTED));
    await signal(bed, SYSTEM, first, "redis-ha", "SIGCONT");
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    const { name } = await group.master();
    expect(name).toMatch(/^preferred-/);
    expect(await group.history(), "nobody was master before").toEqual([]);
    // By the one that was stopped, if it had just written it: then only now.
    await toldOf(bed, space.namespace, "Service", masterServiceName(group.cluster), REASON.Bootstrapped);
    expect((await firstMasters(group)).size, "told for one pod").toBe(1);
    await seed(group, "kept", KEYS, "1", EXPECTED.replicas);

    say(`${name} is the first master; the leader ${second} is killed, and so are all pods of the group`);
    await signal(bed, SYSTEM, second, "redis-ha", "SIGKILL");
    await bed.kubectl([
      "-n",
      space.namespace,
      "delete",
      "pods",
      "-l",
      "app in (preferred, others)",
      "--wait=false",
      "--grace-period=1",
    ]);
    await waitUntil("a whole group again", WHOLE_MS, async () => {
      await group.whole(EXPECTED);
      if ((await group.pods()).some(({ metadata }) => metadata?.name === name)) throw new Error(`${name} is still there`);
    });
    expect((await firstMasters(group)).size, "never bootstrapped again").toBe(1);
    expect((await record(group)).reason).not.toBe(REASON.WaitingForPods);
    say(
      `after the loss of all pods: ${(await record(group)).reason}, ${await countOf(group, "kept", KEYS, "1")} of ${KEYS} keys`,
    );
  } finally {
    await signal(bed, SYSTEM, first, "redis-ha", "SIGCONT").catch(() => undefined);
    await untilWell(bed);
  }
});
