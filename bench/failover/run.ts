/** One fault under traffic: the gap as the writers saw it, what they lost, and the handlers' own steps. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Timeline } from "../../handlers/act/timeline.ts";
import type { Group } from "../../test/e2e/lib/group.ts";
import { timelines } from "../../test/e2e/lib/handlers-view.ts";
import { waitUntil } from "../../test/e2e/lib/wait.ts";
import type { Fault } from "./faults.ts";

export interface Sample {
  readonly gapMs: number;
  readonly acked: number;
  readonly lost: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly wholeAfterMs: number;
  readonly from: string;
  readonly to: string;
  readonly steps: Timeline["steps"];
  readonly firstErrors: readonly string[];
  /** when the gap began and ended, and when the handlers' steps did: ISO times */
  readonly gapFrom: string;
  readonly gapTo: string;
  readonly stepsFrom: string;
}

const EXPECTED = { replicas: 2, sentinels: 3 };
const WHOLE_MS = 120_000;

/** Runs one fault; the group is whole before and after. */
export async function sample(group: Group, cluster: string, fault: Fault, writers: number): Promise<Sample> {
  const { client } = group;
  await waitUntil("a whole group before the fault", WHOLE_MS, async () => await group.whole(EXPECTED));
  if (fault.clientElsewhere === true) await masterAwayFromClient(group);
  const before = await group.master();
  const node = before.pod.spec?.nodeName ?? "";
  const victim = { group, cluster, pod: before.name, node };
  await client.startWriters(await group.throughService(), { writers, pauseMs: 0 });
  await waitUntil("traffic", 10_000, async () => {
    if ((await client.window()).acked < 500) throw new Error("not yet 500 writes");
  });
  await client.window(true);
  const started = performance.now();
  const wallStart = new Date().toISOString();
  await fault.make(victim);
  const undone =
    fault.undo === undefined ? Promise.resolve() : sleep(fault.holdMs ?? 0).then(async () => await fault.undo?.(victim));
  try {
    if (fault.anyMaster !== true) {
      await waitUntil("another master", 60_000, async () => {
        if ((await group.master()).name === before.name) throw new Error(`the Service still leads to ${before.name}`);
      });
    } else {
      await sleep(1000);
    }
    await undone;
  } finally {
    await undone.catch(() => undefined);
  }
  await waitUntil("a whole group after the fault", WHOLE_MS, async () => await group.whole(EXPECTED));
  const wholeAfterMs = performance.now() - started;
  await waitUntil("writes", 10_000, async () => {
    if ((await client.window()).acked === 0) throw new Error("no write");
  });
  const window = await client.window();
  await client.stopWriters();
  const verdict = await client.verify(await group.throughService());
  const [last] = (await timelines(group.bed, group.namespace, group.cluster)).filter(({ startedAt }) => startedAt >= wallStart);
  const after = await group.master();
  return {
    gapMs: window.gapMs,
    acked: verdict.acked,
    lost: verdict.missing,
    errors: window.errors,
    wholeAfterMs: Math.round(wholeAfterMs),
    from: before.name,
    to: after.name,
    steps: last?.steps ?? [],
    firstErrors: window.firstErrors,
    gapFrom: window.gapStartedAt,
    gapTo: new Date(Date.parse(window.gapStartedAt) + window.gapMs).toISOString(),
    stepsFrom: last?.startedAt ?? "",
  };
}

/** Where the client sits on the master's node the master is handed over first. */
async function masterAwayFromClient(group: Group): Promise<void> {
  const { items } = await group.bed.kube.list<{ spec?: { nodeName?: string } }>(`/api/v1/namespaces/${group.namespace}/pods`, {
    query: { labelSelector: "app=client" },
  });
  const clientNode = items[0]?.spec?.nodeName;
  const master = await group.master();
  if (master.pod.spec?.nodeName !== clientNode) return;
  const other = (await group.pods()).find((pod) => pod.spec?.nodeName !== clientNode);
  const name = other?.metadata?.name;
  if (name === undefined) throw new Error("all pods of the group are on the client's node");
  await group.bed.kubectl([
    "-n",
    group.namespace,
    "annotate",
    "--overwrite",
    "service",
    "cache-master",
    `redis-ha.io/handover=${name}`,
  ]);
  await waitUntil("a master on another node", 30_000, async () => {
    if ((await group.master()).name !== name) throw new Error("not handed over yet");
  });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
}
