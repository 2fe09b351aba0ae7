/**
 * Nobody stays with a server that is no longer the master: connections that are held open, idle, reading and subscribed, are cut within a second after new ones lead
 * to the master, and never before.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import { ANNOTATION, REQUEST } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { heal, partition, signalDaemon } from "../cluster/cluster.ts";
import { type Bed, signal } from "./lib/bed.ts";
import { ClientPod } from "./lib/client-pod.ts";
import { toldOf } from "./lib/events.ts";
import { verdict } from "./lib/fault.ts";
import { type Group, WHOLE_MS } from "./lib/group.ts";
import { annotatedQuickstart } from "./lib/quickstart.ts";
import { type Space, test } from "./lib/scenario.ts";
import { untilSettled } from "./lib/settled.ts";
import { say, waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
/** The promise, and what a busy machine gets on top, ms. */
const PINNED_MS = 1000;
const BUSY_MS = 1000;
/** What a replica says to a writer. */
const REFUSED = "READONLY";
/** Of each kind. */
const EACH = 3;
/** Acknowledged before it stopped and not yet sent, or in the tenth of a second after it went on (docs/promise.md), by four writers. */
const STOPPED_LOST = 20;
/** Sentinel's own detection is awaited here; 2 s is the least that is allowed. */
const DOWN_AFTER = "2s";

async function startGroup(space: Space): Promise<Group> {
  const group = space.group();
  await space.apply({ yaml: annotatedQuickstart(ANNOTATION.downAfter, DOWN_AFTER) });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  return group;
}

async function ask(bed: Bed, group: Group, pod = "any"): Promise<void> {
  await bed.kube.mergePatch(PATH.services(group.namespace, "cache-master"), {
    metadata: { annotations: { [REQUEST.handover]: pod } },
  });
}

/** The run_id of the server to which the Service leads. */
async function serving(group: Group, client: ClientPod): Promise<string> {
  const info = String(await client.command(await group.throughService(), "INFO", "server"));
  return /^run_id:(\w+)/m.exec(info)?.[1] ?? "";
}

/** Of a group at rest: writers and holders, all with the master. Returns its run_id. */
async function hold(group: Group, client: ClientPod): Promise<string> {
  await untilSettled(group, EXPECTED);
  const target = await group.throughService();
  const server = await serving(group, client);
  await client.startHolders(target, EACH);
  await client.startWriters(target);
  await waitUntil("all connections to be held", 10_000, async () => {
    const held = await client.holders();
    if (held.some((one) => one.server !== server)) throw new Error(JSON.stringify(held));
  });
  await client.calm();
  await client.window(true);
  return server;
}

/** All of them are with another server now; returns when they left the old one, by the client's clock: the first and the last of them, ms since 1970. */
async function left(client: ClientPod, old: string, withinMs: number): Promise<{ first: number; last: number }> {
  return await waitUntil(`nobody to be with ${old}`, withinMs, async () => {
    const held = await client.holders();
    const staying = held.filter(({ server }) => server === old || server === undefined);
    if (staying.length > 0) throw new Error(`${staying.length} of ${held.length} are: ${JSON.stringify(staying)}`);
    const times = held.flatMap(({ closed }) => closed.filter(({ server }) => server === old).map(({ at }) => at));
    return { first: Math.min(...times), last: Math.max(...times) };
  });
}

/**
 * Since when new connections lead to the master, by the same clock: writes are acknowledged again, and no writer, which connects anew at every refusal, is refused as by
 * a replica any more. The end of the gap alone does not tell: a single connection may be led by what the node remembers of an older one (ADR 0040).
 */
async function routedAt(client: ClientPod): Promise<{ at: number; stallMs: number }> {
  const { gapStartedAt, gapMs, stallMs, lastErrorAt } = await client.window();
  const refused = lastErrorAt[REFUSED];
  return { at: Math.max(Date.parse(gapStartedAt) + gapMs, refused === undefined ? 0 : Date.parse(refused)), stallMs };
}

async function another(group: Group, before: string, withinMs = 30_000): Promise<string> {
  return await waitUntil("another master", withinMs, async () => {
    const { name } = await group.master();
    if (name === before) throw new Error(`the Service still leads to ${before}`);
    return name;
  });
}

/** Changes of an EndpointSlice of somebody else, closer than kube-proxy's second: it is always about to sync. */
async function keepProxiesBusy(bed: Bed, namespace: string): Promise<{ stop: () => Promise<void> }> {
  const path = PATH.endpointSlices(namespace);
  await bed.kube.create(PATH.services(namespace), { metadata: { name: "busy" }, spec: { ports: [{ port: 80 }] } });
  await bed.kube.create(path, {
    metadata: { name: "busy", labels: { "kubernetes.io/service-name": "busy" } },
    addressType: "IPv4",
    ports: [{ port: 80 }],
    endpoints: [],
  });
  let stopped = false;
  const run = async (): Promise<void> => {
    for (let count = 0; !stopped; count += 1) {
      await bed.kube.mergePatch(`${path}/busy`, { endpoints: [{ addresses: [`192.0.2.${1 + (count % 100)}`] }] });
      await sleep(300);
    }
  };
  const running = run();
  return {
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}

test("a hand-over while every kube-proxy is busy, and one while nobody makes EndpointSlices", async ({ bed, space }) => {
  if (!("cluster" in bed.where)) throw new Error("only in a cluster of the cluster tool");
  const name = bed.where.cluster;
  const group = await startGroup(space);
  const { client } = space;

  const server = await hold(group, client);
  const busy = await keepProxiesBusy(bed, space.namespace);
  const before = (await group.master()).name;
  await ask(bed, group);
  const between = await another(group, before);
  const gone = await left(client, server, 10_000);
  const routed = await routedAt(client);
  await busy.stop();
  say(`proxies busy: the last one left ${Math.round(gone.last - routed.at)} ms after writes went on`);
  expect(gone.last - routed.at).toBeLessThan(PINNED_MS + BUSY_MS + routed.stallMs);

  const next = await hold(group, client);
  signalDaemon("control-plane", "kube-controller-manager", "SIGSTOP", { name });
  let resumedAt: number;
  try {
    await ask(bed, group);
    await another(group, between);
    // Told after as long as a hand-over waits for the endpoints before it goes on.
    const late = await toldOf(bed, space.namespace, "Service", "cache-master", REASON.EndpointsLate);
    say(late.message);
    expect(late.message).toContain(`lead to ${between}`);
    const held = await client.holders();
    expect(held.filter((one) => one.server !== next || one.closed.some(({ server: id }) => id === next))).toEqual([]);
  } finally {
    resumedAt = Date.now();
    signalDaemon("control-plane", "kube-controller-manager", "SIGCONT", { name });
  }
  const after = await left(client, next, 15_000);
  const later = await routedAt(client);
  say(`late EndpointSlices: the last one left ${Math.round(after.last - later.at)} ms after writes went on`);
  expect(after.first).toBeGreaterThan(resumedAt);
  expect(after.last - later.at).toBeLessThan(PINNED_MS + BUSY_MS + later.stallMs);
  expect((await verdict(group)).missing).toBe(0);
});

test("a master that stood still, and one that was cut off with its clients: demoted as soon as it is back, and nobody stays", async ({
  bed,
  space,
}) => {
  if (!("cluster" in bed.where)) throw new Error("only in a cluster of the cluster tool");
  const name = bed.where.cluster;
  const group = await startGroup(space);
  const { client } = space;

  const server = await hold(group, client);
  const stopped = await group.master();
  await signal(bed, space.namespace, stopped.name, "redis", "SIGSTOP");
  try {
    await another(group, stopped.name);
    await waitUntil("writes", 10_000, async () => {
      await client.command(await group.throughService(), "SET", "e2e:goes-on", "yes");
    });
  } finally {
    await signal(bed, space.namespace, stopped.name, "redis", "SIGCONT");
  }
  const resumedAt = Date.now();
  const gone = await left(client, server, 10_000);
  say(`SIGCONT: the last one left ${gone.last - resumedAt} ms after it`);
  expect(gone.last - resumedAt).toBeLessThan(PINNED_MS + BUSY_MS);
  // What the writers had sent to the one that stood still is taken the moment it goes on.
  const lost = await toldOf(bed, space.namespace, "Service", "cache-master", REASON.WritesLost);
  say(lost.message);
  expect(lost.message).toMatch(new RegExp(`^lost \\d+ (bytes|kB) of writes taken by ${stopped.name} between .* and `));
  expect((await verdict(group)).missing).toBeLessThanOrEqual(STOPPED_LOST);

  // The smaller side of the partition gets the master, and a client with it.
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const pods = await group.pods();
  const nodes = pods.map(({ spec }) => spec?.nodeName ?? "");
  const lonely = pods.find(({ spec }) => nodes.filter((node) => node === spec?.nodeName).length === 1);
  const node = lonely?.spec?.nodeName ?? "";
  const alone = lonely?.metadata?.name ?? "";
  expect(node, `one pod alone on its node: ${nodes.join(", ")}`).not.toBe("");
  if ((await group.master()).name !== alone) {
    await ask(bed, group, alone);
    await waitUntil(`${alone} to be master`, 15_000, async () => expect((await group.master()).name).toBe(alone));
  }
  const inside = await ClientPod.start(bed, space.namespace, "inside", node);
  const isolated = await hold(group, inside);
  await partition(node, { name });
  try {
    await another(group, alone);
  } finally {
    await heal(node, { name });
  }
  const healedAt = Date.now();
  const cut = await left(inside, isolated, 40_000);
  say(`partition healed: the last one left ${cut.last - healedAt} ms after it`);
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
});
