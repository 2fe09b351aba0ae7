/** What the webhook must never do to others, also while all of it is dead; and what it says of pods that slipped by. */
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { CoreEvent, Deployment, KubeList, Node, Pod } from "../../kube/types.ts";
import { LABEL } from "../../model/names.ts";
import { nodeNames, poweroff, poweron } from "../cluster/cluster.ts";
import { plainPod } from "./lib/admission-load.ts";
import { withNamespace } from "./lib/admission-space.ts";
import type { Bed } from "./lib/bed.ts";
import { test } from "./lib/scenario.ts";
import { countedByUs, scaleUs } from "./lib/us.ts";
import { messageOf, waitUntil } from "./lib/wait.ts";

const ASKS = { "redis-ha.io/cluster": "cache" };

function deployment(name: string, replicas: number, template: Readonly<Record<string, string>> = {}, node?: string): object {
  const { spec } = plainPod(name) as { spec: object };
  return {
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name }, annotations: template },
        spec: { ...spec, ...(node ? { nodeName: node } : {}) },
      },
    },
  };
}

async function untilReady(bed: Bed, namespace: string, name: string, replicas: number, within = 60_000): Promise<void> {
  await waitUntil(`${replicas} ready pods of ${name}`, within, async () => {
    const { status } = await bed.kube.get<Deployment>(PATH.deployments(namespace, name));
    if ((status?.readyReplicas ?? 0) < replicas) throw new Error(`${status?.readyReplicas ?? 0} are ready`);
  });
}

test("with both replicas dead: un-annotated objects are untouched, annotated pods are refused with a clear message", async ({
  bed,
}) => {
  await withNamespace(bed, async (namespace) => {
    const group = deployment("group", 0, ASKS);
    await bed.kube.create(PATH.deployments(namespace), group);
    await scaleUs(bed, 0);
    try {
      await bed.kube.create(PATH.pods(namespace), plainPod("plain"));
      await bed.kube.create(PATH.deployments(namespace), deployment("plain", 2));
      await untilReady(bed, namespace, "plain", 2);
      const refusal = await bed.kube.create(PATH.pods(namespace), plainPod("asks", ASKS)).then(() => "created", messageOf);
      expect(refusal).toMatch(/failed calling webhook "pods\.redis-ha\.io".*redis-ha-webhook\.redis-ha-system/);

      // What is not ours of an annotated workload can still be changed, and it can be scaled and deleted.
      const path = PATH.deployments(namespace, "group");
      await bed.kube.mergePatch(path, { metadata: { labels: { team: "shop" }, annotations: { "example.com/note": "x" } } });
      await bed.kube.mergePatch(PATH.deployments(namespace, "group", "scale"), { spec: { replicas: 1 } });
      const changed = await bed.kube
        .mergePatch(path, { metadata: { annotations: { "redis-ha.io/quorum": "2" } } })
        .then(() => "changed", messageOf);
      expect(changed).toContain('failed calling webhook "workloads.redis-ha.io"');
      await bed.kube.remove(path);
    } finally {
      await scaleUs(bed, 2);
    }
    // As soon as we are back, it goes on by itself.
    await bed.kube.create(PATH.pods(namespace), plainPod("asks", ASKS));
  });
}, 240_000);

/** Where a namespace's pods are and how often they started: a restarted container counts, a replaced pod has another uid. */
async function startsOf(bed: Bed, namespace: string): Promise<{ uid: string; at: string; starts: number; running: boolean }[]> {
  const { items } = await bed.kube.list<Pod>(PATH.pods(namespace));
  return items.map(({ metadata, spec, status }) => ({
    uid: metadata?.uid ?? "",
    at: `${metadata?.name} on ${spec?.nodeName}`,
    starts: Math.min(...(status?.containerStatuses ?? []).map(({ restartCount }) => restartCount ?? 0)),
    running: (status?.containerStatuses ?? []).every(({ state }) => state?.running !== undefined),
  }));
}

/** What the API server says of each node, in words. */
async function nodesOf(bed: Bed): Promise<string> {
  const { items } = await bed.kube.list<Node>(PATH.nodes());
  return items
    .map(({ metadata, spec, status }) => {
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      return `${metadata?.name} Ready=${ready?.status}${spec?.unschedulable === true ? ", cordoned" : ""}`;
    })
    .join("; ");
}

test("with both replicas dead all nodes are restarted: every pod comes back, un-annotated and injected ones", async ({ bed }) => {
  if (!("cluster" in bed.where)) throw new Error("only nodes of the cluster tool can lose their power");
  const where = { name: bed.where.cluster };
  const nodes = nodeNames(where);
  await withNamespace(bed, async (namespace) => {
    await bed.kube.create(PATH.deployments(namespace), deployment("plain", 2));
    await bed.kube.create(PATH.deployments(namespace), deployment("group", 2, ASKS));
    await Promise.all(["plain", "group"].map(async (name) => await untilReady(bed, namespace, name, 2, 90_000)));
    const before = await startsOf(bed, namespace);
    await scaleUs(bed, 0);
    try {
      await Promise.all(nodes.map(async (node) => await poweroff(node, where)));
      await Promise.all(nodes.map(async (node) => await poweron(node, where)));
      // A restart asks nobody for admission: the very same pods run again, with what was injected into them.
      await waitUntil("all pods started anew", 150_000, async () => {
        const now = await startsOf(bed, namespace);
        expect(now.map(({ uid }) => uid).toSorted()).toEqual(before.map(({ uid }) => uid).toSorted());
        const late = now.filter(
          ({ uid, starts, running }) => !running || starts <= (before.find((one) => one.uid === uid)?.starts ?? 0),
        );
        if (late.length > 0) throw new Error(`not yet: ${late.map(({ at }) => at).join(", ")}; ${await nodesOf(bed)}`);
      });
      await untilReady(bed, namespace, "plain", 2, 90_000);
    } finally {
      await scaleUs(bed, 2);
    }
    // And the group finds itself again as soon as there is somebody to look after it.
    await untilReady(bed, namespace, "group", 2, 120_000);
  });
}, 420_000);

test("annotated pods that were not injected are found: an Event that says what to do, and a metric", async ({ bed }) => {
  const found = await withMissedPod(bed);
  expect(found.message).toContain("did not pass the webhook");
  expect(found.message).toContain(`${LABEL.injection}=disabled`);
}, 120_000);

async function withMissedPod(bed: Bed): Promise<CoreEvent> {
  let event: CoreEvent | undefined;
  const work = async (namespace: string): Promise<void> => {
    await bed.kube.create(PATH.deployments(namespace), deployment("missed", 1, ASKS));
    event = await waitUntil("an Event of the Deployment", 60_000, async () => {
      const { items }: KubeList<CoreEvent> = await bed.kube.list(PATH.events(namespace));
      const told = items.filter(({ reason }) => reason === "NotInjected");
      const [ofPod, ofWorkload] = ["Pod", "Deployment"].map((kind) => told.find((one) => one.involvedObject.kind === kind));
      if (ofPod === undefined || ofWorkload === undefined)
        throw new Error(`told of: ${told.map((one) => one.involvedObject.kind).join()}`);
      return ofWorkload;
    });
    const counts = await countedByUs(bed, "redis_ha_uninjected_pods");
    expect(Math.max(...counts)).toBeGreaterThanOrEqual(1);
  };
  await withNamespace(bed, work, { [LABEL.injection]: "disabled" });
  if (event === undefined) throw new Error("no Event");
  return event;
}

test("the way in and the way back: an annotation on the workload comes into the template and leaves it again", async ({
  bed,
}) => {
  await withNamespace(bed, async (namespace) => {
    await bed.kube.create(PATH.deployments(namespace), deployment("cache", 0));
    const template = async (): Promise<Record<string, string>> => {
      const { spec } = await bed.kube.get<Deployment>(PATH.deployments(namespace, "cache"));
      return spec?.template.metadata?.annotations ?? {};
    };
    await bed.kubectl(["-n", namespace, "annotate", "deployment", "cache", "redis-ha.io/cluster=cache"]);
    expect(await template()).toEqual(ASKS);
    const { stderr } = await bed.kubectl(["-n", namespace, "annotate", "deployment", "cache", "redis-ha.io/cluster-"]);
    expect(stderr).toContain("removed from the pod template too");
    expect(await template()).toEqual({});
  });
});
