/**
 * All pods of a StatefulSet with volumes are gone at once, after one replica missed the last 10,000 writes. The stale one comes up first and must not win.
 * Three pods on two nodes: the master alone on one of them, which is closed until the test says otherwise.
 */
import { describe, expect, inject } from "vitest";
import { EXIT } from "../../cli/exit.ts";
import { MARK, REQUEST } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { type Bed, signal } from "./lib/bed.ts";
import { commandLine } from "./lib/cli.ts";
import { countOf, seed } from "./lib/data.ts";
import { eventOf, eventsOf } from "./lib/events.ts";
import type { Group } from "./lib/group.ts";
import { type Space, test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

/** A sentinel that a busy machine has stalled for two seconds does nothing for thirty. */
const WHOLE_MS = 90_000;
const EXPECTED = { replicas: 2, sentinels: 3 };
const KEYS = 10_000;
const TEST_MS = 240_000;

function manifest(appendonly: boolean, annotations: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ cluster: "store", ...annotations }).map(([key, value]) => `redis-ha.io/${key}: "${value}"`);
  return `
apiVersion: v1
kind: Service
metadata: { name: store }
spec: { clusterIP: None, selector: { app: store }, ports: [{ name: redis, port: 6379 }] }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: store }
spec:
  serviceName: store
  replicas: 3
  podManagementPolicy: Parallel
  selector: { matchLabels: { app: store } }
  template:
    metadata:
      labels: { app: store }
      annotations: { ${lines.join(", ")} }
    spec:
      # A stopped process is killed after it.
      terminationGracePeriodSeconds: 8
      topologySpreadConstraints:
        - { maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: ScheduleAnyway, labelSelector: { matchLabels: { app: store } } }
      containers:
        - name: redis
          image: docker.io/library/redis:7
          imagePullPolicy: IfNotPresent
          args: [--appendonly, "${appendonly ? "yes" : "no"}"]
          ports: [{ containerPort: 6379 }]
          volumeMounts: [{ name: data, mountPath: /data }]
  volumeClaimTemplates:
    - metadata: { name: data }
      spec: { accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }
`;
}

interface Outage {
  readonly group: Group;
  /** the last master's pod, alone on its node */
  readonly last: string;
  readonly node: string;
  readonly other: string;
  /** replicas on the other node: one that has everything, one that misses the last writes */
  readonly fresh: string;
  readonly stale: string;
}

/** A whole group whose master is alone on its node, with KEYS keys on all three and written to their disks, and KEYS more that one replica has missed. */
async function groupWithStaleReplica(bed: Bed, space: Space, yaml: string): Promise<Outage> {
  const group = space.group("store");
  await space.apply({ yaml });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const nodes = new Map((await group.pods()).map(({ metadata, spec }) => [metadata?.name ?? "", spec?.nodeName ?? ""]));
  const names = [...nodes.keys()];
  const last = names.find((name) => names.filter((other) => nodes.get(other) === nodes.get(name)).length === 1);
  const node = nodes.get(last ?? "");
  if (last === undefined || node === undefined) throw new Error(`no pod is alone on its node: ${JSON.stringify([...nodes])}`);
  if ((await group.master()).name !== last) {
    await bed.kubectl(["-n", space.namespace, "annotate", "service", "store-master", `${REQUEST.handover}=${last}`]);
    await waitUntil(`${last} to be master`, 30_000, async () => expect((await group.master()).name).toBe(last));
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  }
  const [stale, fresh] = names.filter((name) => name !== last);
  const other = nodes.get(fresh ?? "");
  if (stale === undefined || fresh === undefined || other === undefined) throw new Error("no two replicas");
  await seed(group, "old", KEYS, "kept", 2);
  for (const { ip } of await group.redises()) await group.client.command(await group.at(ip), "BGSAVE");
  await waitUntil("everybody's snapshot", 20_000, async () => {
    for (const { ip } of await group.redises()) {
      const info = String(await group.client.command(await group.at(ip), "INFO", "persistence"));
      if (!info.includes("rdb_bgsave_in_progress:0") || !info.includes("rdb_last_bgsave_status:ok"))
        throw new Error(`${ip} is saving`);
    }
  });
  await signal(bed, space.namespace, stale, "redis", "SIGSTOP");
  await seed(group, "old", KEYS, "newer", 1);
  await seed(group, "late", KEYS, "kept", 1);
  say(`last master ${last} on ${node}; ${stale} missed the last writes, ${fresh} has them`);
  return { group, last, node, other, fresh, stale };
}

/**
 * All pods at once, the replicas a moment earlier, so that nobody is left to hand over to. The nodes take no new pod before all are gone, and the last
 * master's none until it is opened again.
 */
async function outage(bed: Bed, { group, last, fresh, stale, node, other }: Outage): Promise<void> {
  const before = new Set((await group.pods()).map(({ metadata }) => metadata?.uid));
  await bed.kubectl(["-n", group.namespace, "delete", "pods", fresh, stale, last, "--wait=false"]);
  await bed.kubectl(["cordon", node, other]);
  await waitUntil("all old pods to be gone", 60_000, async () => {
    const left = (await group.pods({ terminating: true })).filter(({ metadata }) => before.has(metadata?.uid));
    if (left.length > 0) throw new Error(left.map(({ metadata }) => metadata?.name).join(", "));
  });
  await bed.kubectl(["uncordon", other]);
}

async function nothingLost(group: Group): Promise<void> {
  expect(await countOf(group, "old", KEYS, "newer")).toBe(KEYS);
  expect(await countOf(group, "late", KEYS, "kept")).toBe(KEYS);
}

async function masters(group: Group): Promise<string[]> {
  return (await group.redises()).filter(({ role }) => role === "master").map(({ pod }) => pod);
}

describe("all pods of a StatefulSet are deleted at once", () => {
  test("AOF: the group waits for the last master's volume and takes it", { timeout: TEST_MS }, async ({ bed, space }) => {
    const given = await groupWithStaleReplica(bed, space, manifest(true, {}));
    const { group, last } = given;
    try {
      await outage(bed, given);
      const event = await waitUntil(
        "the group to say what it waits for",
        60_000,
        async () => await eventOf(bed, space.namespace, "Service", "store-master", REASON.WaitingForLastMaster),
      );
      expect(event.message).toContain(last);
      await waitUntil("both others to be up", 30_000, async () => {
        const up = (await group.redises()).filter(({ role }) => role === "slave");
        if (up.length !== 2) throw new Error(`${up.length} of 2`);
      });
      expect(await masters(group), "nobody is master meanwhile").toEqual([]);
    } finally {
      await bed.kubectl(["uncordon", given.node, given.other]);
    }
    await waitUntil("a whole group", 90_000, async () => await group.whole(EXPECTED));
    expect((await group.master()).name).toBe(last);
    await nothingLost(group);
  });

  test("RDB: without the last master's volume the freshest wins after recovery-wait, and its age is told", {
    timeout: TEST_MS,
  }, async ({ bed, space }) => {
    const given = await groupWithStaleReplica(bed, space, manifest(false, { "recovery-wait": "15s" }));
    const { group, fresh } = given;
    try {
      await outage(bed, given);
      await waitUntil("a master", 90_000, async () => expect(await masters(group)).toEqual([fresh]));
      const event = await waitUntil(
        "the grounds",
        10_000,
        async () => await eventOf(bed, space.namespace, "Service", "store-master", REASON.Recovered),
      );
      say(event.message);
      expect(event.message).toContain(fresh);
      expect(event.message).toMatch(/files were last written at 20\d\d-/);
      await waitUntil("the Service", 10_000, async () => expect((await group.master()).name).toBe(fresh));
      await nothingLost(group);
    } finally {
      await bed.kubectl(["uncordon", given.node, given.other]);
    }
    await waitUntil("a whole group", 90_000, async () => await group.whole(EXPECTED));
    await nothingLost(group);
  });

  test("one pod after the other: the last master is made last, and the group waits for it", { timeout: TEST_MS }, async ({
    bed,
    space,
  }) => {
    const group = space.group("store");
    await space.apply({ yaml: manifest(true, {}).replace("Parallel", "OrderedReady") });
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    const last = "store-2";
    await bed.kubectl(["-n", space.namespace, "annotate", "service", "store-master", `${REQUEST.handover}=${last}`]);
    await waitUntil(`${last} to be master`, 30_000, async () => expect((await group.master()).name).toBe(last));
    await seed(group, "old", KEYS, "kept", 2);
    await bed.kubectl(["-n", space.namespace, "delete", "pods", "store-0", "store-1", last, "--wait=false", "--grace-period=1"]);
    await waitUntil("the group to say what it waits for", 60_000, async () => {
      const { message } = await eventOf(bed, space.namespace, "Service", "store-master", REASON.WaitingForLastMaster);
      expect(message).toContain(last);
    });
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    expect((await group.master()).name).toBe(last);
    expect(await countOf(group, "old", KEYS, "kept")).toBe(KEYS);
  });

  test("recovery: manual halts and says how to go on; a person's word is done", { timeout: TEST_MS }, async ({ bed, space }) => {
    const group = space.group("store");
    await space.apply({ yaml: manifest(true, { recovery: "manual" }) });
    await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
    await seed(group, "old", KEYS, "kept", 2);
    await bed.kubectl(["-n", space.namespace, "delete", "pods", "-l", "app=store", "--wait=false", "--grace-period=1"]);
    const halted = await waitUntil("the halt", 60_000, async () => {
      const text = (await group.service()).metadata?.annotations?.[MARK.halted];
      if (text === undefined) throw new Error("not halted");
      return text;
    });
    expect(halted).toContain(REASON.HaltedManualRecovery);
    const freshest = /annotate service store-master redis-ha\.io\/promote=(\S+)/.exec(halted)?.[1] ?? "";
    expect(freshest, halted).toMatch(/^store-\d$/);
    expect(await masters(group)).toEqual([]);
    const event = await eventOf(bed, space.namespace, "Service", "store-master", REASON.HaltedManualRecovery);
    expect(event.type).toBe("Warning");
    // The command line makes the same request.
    const { run, atTerminal } = await commandLine(inject("cluster"));
    const name = `${space.namespace}/store`;
    const seen = await run("status", name);
    expect(seen.stdout).toContain(`halted: ${REASON.HaltedManualRecovery}`);
    expect(seen.stdout).toContain(`next: bring the missing pods back, or choose by hand: redis-ha promote ${name} store-`);
    const plan = await run("promote", name, freshest, "--dry-run");
    expect(plan.stdout).toContain(`${name}: ${freshest} becomes master`);
    expect(plan.stdout).toMatch(/lost: /);
    expect((await atTerminal("n\n", "promote", name, freshest)).code).toBe(EXIT.refused);
    expect(await masters(group)).toEqual([]);
    const promoted = await atTerminal("y\n", "promote", name, freshest);
    expect(promoted.code, promoted.stdout).toBe(EXIT.ok);
    expect(promoted.stdout).toMatch(new RegExp(`done\\S*: ${freshest} is master`));
    await waitUntil("a whole group", 90_000, async () => await group.whole(EXPECTED));
    expect(await countOf(group, "old", KEYS, "kept")).toBe(KEYS);
    const annotations = (await group.service()).metadata?.annotations ?? {};
    expect(annotations).not.toHaveProperty([REQUEST.promote]);
    expect(annotations).not.toHaveProperty([MARK.halted]);
    const told = (await eventsOf(bed, space.namespace, "Service", "store-master")).map(({ reason }) => reason);
    expect(told).toContain(REASON.PromotedByPerson);
  });
});
