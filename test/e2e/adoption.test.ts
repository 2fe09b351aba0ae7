/** A plain redis with data in memory becomes a group, grows, and becomes a plain redis again: the same Service, the same data, writers all the while. */
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Pod, Service } from "../../kube/types.ts";
import { LABEL, PREFIX, REDIS_PORT } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { signal } from "./lib/bed.ts";
import { gapText, servedGapMs, type Target } from "./lib/client-pod.ts";
import { script } from "./lib/data.ts";
import { toldOf } from "./lib/events.ts";
import { Group, isReady, WHOLE_MS } from "./lib/group.ts";
import { type Space, test } from "./lib/scenario.ts";
import { say, waitUntil } from "./lib/wait.ts";

const KEYS = 20_000;
const SEED = `for i = 1, ${KEYS} do redis.call('set', 'seed:' .. i, i) end`;
const COUNT = `local n = 0 for i = 1, ${KEYS} do n = n + redis.call('exists', 'seed:' .. i) end return n`;
/** What issue 4 promises for the adoption, ms. */
const GAP_MS = 1000;
/** The way back: the new, plain pod copies while the old one is being deleted. */
const BACK_GAP_MS = 3000;
const TEST_MS = 300_000;

type Auth = { readonly annotation: string; readonly password: string | undefined };

const OPEN: Auth = { annotation: "none", password: undefined };
const LOCKED: Auth = { annotation: "secret:legacy/redis-password", password: "an-old-password" };

/** The group behind the Service `legacy`. */
class Adopted extends Group {
  readonly #password: string | undefined;

  constructor({ bed, client, namespace }: Group, auth: Auth) {
    super(bed, client, namespace);
    this.#password = auth.password;
  }

  override async service(): Promise<Service> {
    return await this.bed.kube.get<Service>(PATH.services(this.namespace, "legacy"));
  }

  override async throughService(): Promise<Target> {
    return this.#target("legacy", REDIS_PORT);
  }

  override async at(ip: string, port = REDIS_PORT): Promise<Target> {
    return this.#target(ip, port);
  }

  async workloadPods(): Promise<Pod[]> {
    const query = { labelSelector: "app=legacy" };
    return (await this.bed.kube.list<Pod>(PATH.pods(this.namespace), { query })).items;
  }

  #target(host: string, port: number): Target {
    return { host, port, ...(this.#password === undefined ? {} : { password: this.#password }) };
  }
}

const injected = ({ metadata }: Pod): boolean => metadata?.labels?.[LABEL.instance] !== undefined;

function manifest({ password }: Auth): string {
  const locked = password !== undefined;
  return `
apiVersion: v1
kind: Service
metadata: { name: legacy }
spec: { selector: { app: legacy }, ports: [{ port: 6379 }] }
---
apiVersion: v1
kind: Secret
metadata: { name: legacy }
stringData: { redis-password: ${password ?? "unused"} }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: legacy }
spec:
  replicas: 1
  selector: { matchLabels: { app: legacy } }
  template:
    metadata: { labels: { app: legacy } }
    spec:
      containers:
        - name: redis
          image: docker.io/library/redis:7
          imagePullPolicy: IfNotPresent
          args: ["--save", ""${locked ? ', "--requirepass", "$(PASSWORD)"' : ""}]
          env: [{ name: PASSWORD, valueFrom: { secretKeyRef: { name: legacy, key: redis-password } } }]
          ports: [{ containerPort: 6379 }]
`;
}

/** One plain redis that serves writers behind its Service. */
async function plainRedis(space: Space, auth: Auth): Promise<{ group: Adopted; clusterIp: string; pod: string }> {
  const group = new Adopted(space.group(), auth);
  await space.apply({ yaml: manifest(auth) });
  const pod = await waitUntil("the plain pod", 30_000, async () => {
    const found = (await group.workloadPods()).find(isReady);
    if (found === undefined) throw new Error("not Ready");
    return found;
  });
  expect(injected(pod)).toBe(false);
  const target = await group.throughService();
  await waitUntil("the data", 20_000, async () => await script(space.client, target, SEED));
  await space.client.startWriters(target);
  await space.client.calm();
  return { group, clusterIp: (await group.service()).spec?.clusterIP ?? "", pod: pod.metadata?.name ?? "" };
}

async function annotate(group: Group, words: readonly string[]): Promise<void> {
  await group.bed.kubectl(["-n", group.namespace, "annotate", "deployment", "legacy", ...words.map((word) => PREFIX + word)]);
}

/** Every acknowledged write and the data from before, while the writers go on. */
async function nothingLost(group: Adopted, what: string): Promise<void> {
  const target = await group.throughService();
  const { acked, missing, examples } = await group.client.verify(target);
  const seeds = await script(group.client, target, COUNT);
  say(`${what}: ${acked} acknowledged writes, ${missing} lost ${examples.join(" ")}; ${seeds} of ${KEYS} older keys`);
  expect(missing).toBe(0);
  expect(seeds).toBe(KEYS);
}

/** Returns the longest time without an acknowledged write, less the client's own standstill within it. */
async function gap(group: Group, what: string): Promise<number> {
  const window = await group.client.window();
  const { acked, errors, firstErrors } = window;
  say(`${what}: ${gapText(window)}, ${acked} writes, errors ${JSON.stringify(errors)} ${firstErrors.join(", ")}`);
  return servedGapMs(window);
}

async function adopted(group: Adopted, auth: Auth, old: string): Promise<void> {
  await group.client.window(true);
  await annotate(group, ["cluster=cache", "master-service=legacy", `auth=${auth.annotation}`]);
  await waitUntil("the adoption", 90_000, async () => {
    await group.whole({ replicas: 0, sentinels: 1 });
    const names = (await group.workloadPods()).map(({ metadata }) => metadata?.name ?? "");
    if (names.includes(old)) throw new Error(`${old} is still there`);
  });
}

async function released(group: Adopted): Promise<void> {
  await group.client.calm();
  await group.client.window(true);
  await annotate(group, ["cluster-", "master-service-", "auth-"]);
  await waitUntil("one plain redis", 90_000, async () => {
    const pods = await group.workloadPods();
    const names = pods.map((pod) => `${pod.metadata?.name}${injected(pod) ? " (injected)" : ""}`);
    if (pods.length !== 1 || pods.some((pod) => injected(pod) || !isReady(pod))) throw new Error(`pods: ${names.join(", ")}`);
    await group.client.command(await group.throughService(), "SET", "e2e:writable", "yes");
  });
}

/** The Service selects what it selected before, and nothing of ours is left on it. */
async function givenBack(group: Adopted): Promise<void> {
  const { spec, metadata } = await group.service();
  expect(spec?.selector).toEqual({ app: "legacy" });
  const marks = Object.keys({ ...metadata?.annotations, ...metadata?.labels }).filter((key) => key.startsWith(PREFIX));
  expect(marks).toEqual([]);
}

test("a plain redis is adopted, grows to three, and is given back", { timeout: TEST_MS }, async ({ bed, space }) => {
  const { group, clusterIp, pod } = await plainRedis(space, OPEN);
  await adopted(group, OPEN, pod);
  expect(await gap(group, "adoption")).toBeLessThan(GAP_MS);
  await nothingLost(group, "adoption");
  expect((await group.service()).spec?.clusterIP).toBe(clusterIp);
  await toldOf(bed, space.namespace, "Service", "legacy", REASON.ServiceTakenOver);

  const scale = async (replicas: number): Promise<unknown> =>
    await bed.kubectl(["-n", space.namespace, "scale", "deployment", "legacy", `--replicas=${replicas}`]);
  await scale(3);
  await waitUntil("a group of three", WHOLE_MS, async () => await group.whole({ replicas: 2, sentinels: 3 }));
  await scale(1);
  await waitUntil("a group of one", WHOLE_MS, async () => await group.whole({ replicas: 0, sentinels: 1 }));
  await nothingLost(group, "three and one again");

  await released(group);
  expect(await gap(group, "the way back")).toBeLessThan(BACK_GAP_MS);
  await nothingLost(group, "the way back");
  expect((await group.service()).spec?.clusterIP).toBe(clusterIp);
  await givenBack(group);
});

test("a redis with a password of its own is adopted with it, and given back", { timeout: TEST_MS }, async ({ space }) => {
  const { group, pod } = await plainRedis(space, LOCKED);
  await adopted(group, LOCKED, pod);
  expect(await gap(group, "adoption with a password")).toBeLessThan(GAP_MS);
  await nothingLost(group, "adoption with a password");
  await released(group);
  expect(await gap(group, "the way back with a password")).toBeLessThan(BACK_GAP_MS);
  await nothingLost(group, "the way back with a password");
  expect((await group.service()).spec?.selector).toEqual({ app: "legacy" });
});

test("a way back whose last pod dies before it could give anything back ends by itself", { timeout: TEST_MS }, async ({
  bed,
  space,
}) => {
  const { group, pod } = await plainRedis(space, OPEN);
  await adopted(group, OPEN, pod);
  const { name } = await group.master();
  // It answers nobody from now on, so nothing can be copied from it.
  await signal(bed, space.namespace, name, "redis", "SIGSTOP");
  await annotate(group, ["cluster-", "master-service-", "auth-"]);
  await waitUntil("the plain pod", 60_000, async () => {
    if (!(await group.workloadPods()).some((one) => !injected(one) && isReady(one))) throw new Error("not Ready");
  });
  await bed.kubectl(["-n", space.namespace, "delete", "pod", name, "--force", "--grace-period=0"]);
  await waitUntil("the Service given back", 60_000, async () => await givenBack(group));
  await waitUntil("a write", 20_000, async () => await group.client.command(await group.throughService(), "SET", "e2e", "yes"));
});
