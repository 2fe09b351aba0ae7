/** What a person finds who only runs `kubectl describe service cache-master` after a bad day; and that what was deleted by hand is there again. */
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { NetworkPolicy, Secret } from "../../kube/types.ts";
import { ANNOTATION, networkPolicyName, SECRET_KEY, secretName } from "../../model/names.ts";
import { REASON, type Reason } from "../../model/reasons.ts";
import { signal } from "./lib/bed.ts";
import { eventsSoFar, toldOf } from "./lib/events.ts";
import { underFault } from "./lib/fault.ts";
import { WHOLE_MS } from "./lib/group.ts";
import { annotatedQuickstart } from "./lib/quickstart.ts";
import { test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
/** The handlers look every half minute. */
const RESTORED_MS = 60_000;
/** And once a minute after the NetworkPolicy. */
const POLICY_MS = 90_000;
/** A start, a failover and a total outage: nobody reads more lines than this that begin with the same word. */
const MOST_LINES = 12;
const STORY: readonly Reason[] = [
  REASON.ServiceCreated,
  REASON.Bootstrapped,
  REASON.MasterRouted,
  REASON.FailedOver,
  REASON.SecretRestored,
  REASON.Recovered,
];
/** Not those of the first second: whose pod it is, is only being asked then. */
const OF_THE_WORKLOAD: readonly Reason[] = [REASON.FailedOver, REASON.SecretRestored, REASON.Recovered];

test("a start, a failover, a deleted Secret and the loss of all pods: the Events of the master Service tell it", {
  timeout: 400_000,
}, async ({ bed, space }) => {
  const group = space.group();
  await space.apply({ yaml: annotatedQuickstart(ANNOTATION.networkPolicy, "namespace") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const policyPath = PATH.networkPolicies(space.namespace, networkPolicyName("cache"));
  const policy = await bed.kube.get<NetworkPolicy>(policyPath);
  expect(policy.spec?.ingress).toHaveLength(2);
  // Somebody opens it; at the end it is as it was.
  await bed.kube.mergePatch(policyPath, { spec: { ingress: [{}] } });

  const password = await group.password();
  await bed.kubectl(["-n", space.namespace, "delete", "secret", secretName("cache")]);
  await space.client.startWriters(await group.throughService());
  const kill = async (pod: string): Promise<void> => await signal(bed, space.namespace, pod, "redis", "SIGKILL");
  // The killed container can start only when its Secret is there again.
  await underFault(group, "kill -9", EXPECTED, kill, RESTORED_MS + WHOLE_MS);
  await space.client.stopWriters();
  await waitUntil("the Secret to be back", RESTORED_MS, async () => {
    const secret = await bed.kube.get<Secret>(PATH.secrets(space.namespace, secretName("cache")));
    expect(Buffer.from(secret.data?.[SECRET_KEY] ?? "", "base64").toString()).toBe(password);
  });
  // New pods start with it.
  const before = new Set((await group.pods()).map(({ metadata }) => metadata?.name));
  await bed.kubectl(["-n", space.namespace, "delete", "pods", "-l", "app=cache", "--wait=false", "--grace-period=1"]);
  await waitUntil("a whole group of new pods", WHOLE_MS, async () => {
    await group.whole(EXPECTED);
    if ((await group.pods()).some(({ metadata }) => before.has(metadata?.name))) throw new Error("old pods are still there");
  });

  await waitUntil("the NetworkPolicy to be back", POLICY_MS, async () => {
    const { spec } = await bed.kube.get<NetworkPolicy>(policyPath);
    expect(spec?.ingress).toEqual(policy.spec?.ingress);
  });

  for (const reason of STORY) await toldOf(bed, space.namespace, "Service", "cache-master", reason);
  const events = await eventsSoFar(bed, space.namespace, "Service", "cache-master");
  for (const { reason, type, count, message } of events) say(`${type} ${reason} ×${count}: ${message}`);
  for (const [reason, lines] of Map.groupBy(events, (event) => event.reason))
    expect(lines.length, `lines that tell ${reason}`).toBeLessThanOrEqual(MOST_LINES);
  // Whoever looks at the workload first reads the same.
  for (const reason of OF_THE_WORKLOAD) await toldOf(bed, space.namespace, "Deployment", "cache", reason);
  const { stdout } = await bed.kubectl(["-n", space.namespace, "describe", "service", "cache-master"]);
  for (const reason of STORY) expect(stdout).toContain(reason);
});
