/** What the webhook must never do to others, also while all of it is dead; and what it says of pods that slipped by. */
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { CoreEvent, Deployment, KubeList, Pod } from "../../kube/types.ts";
import { LABEL } from "../../model/names.ts";
import { nodeNames, poweroff, poweron } from "../cluster/cluster.ts";
import { plainPod } from "./lib/admission-load.ts";
import { withNamespace } from "./lib/admission-space.ts";
import { type Bed, SYSTEM } from "./lib/bed.ts";
import { test } from "./lib/scenario.ts";
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

async function scaleUs(bed: Bed, replicas: number): Promise<void> {
  await bed.kubectl(["-n", SYSTEM, "scale", "deployment/redis-ha", `--replicas=${replicas}`]);
  await waitUntil(`${replicas} replicas of redis-ha`, 90_000, async () => {
    const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM));
    const ready = items.filter(({ status }) =>
      status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
    );
    if (items.length !== replicas || ready.length !== replicas) throw new Error(`${ready.length} ready of ${items.length}`);
  });
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

test("with both replicas dead a node that is restarted brings its un-annotated pods back", async ({ bed }) => {
  if (!("cluster" in bed.where)) return;
  const where = { name: bed.where.cluster };
  const node = nodeNames(where).at(-1) ?? "";
  await withNamespace(bed, async (namespace) => {
    await bed.kube.create(PATH.deployments(namespace), deployment("plain", 2, {}, node));
    await untilReady(bed, namespace, "plain", 2);
    const restarts = async (): Promise<number> => {
      const { items } = await bed.kube.list<Pod>(PATH.pods(namespace), { query: { labelSelector: "app=plain" } });
      return Math.min(...items.map(({ status }) => status?.containerStatuses?.[0]?.restartCount ?? 0));
    };
    await scaleUs(bed, 0);
    try {
      await poweroff(node, where);
      await poweron(node, where);
      await waitUntil("the pods started anew", 90_000, async () => {
        if ((await restarts()) < 1) throw new Error("not all have been restarted");
      });
      await untilReady(bed, namespace, "plain", 2, 90_000);
    } finally {
      await scaleUs(bed, 2);
    }
  });
}, 300_000);

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
    const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM));
    const counts = await Promise.all(
      items.map(async ({ metadata }) => {
        const raw = `/api/v1/namespaces/${SYSTEM}/pods/${metadata?.name}:8080/proxy/metrics`;
        const { stdout } = await bed.kubectl(["get", "--raw", raw]);
        return Number(/^redis_ha_uninjected_pods (\d+)/m.exec(stdout)?.[1]);
      }),
    );
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
