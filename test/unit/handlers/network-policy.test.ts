/** Who may reach a group's pods, and that the object is made, changed and opened, but never somebody else's. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { applyNetworkPolicy, networkPolicySpec } from "../../../handlers/act/network-policy.ts";
import { PATH } from "../../../kube/paths.ts";
import type { NetworkPolicy } from "../../../kube/types.ts";
import { type GroupSettings, parseSettings } from "../../../model/settings.ts";
import { expand } from "../../scenarios/expand.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";

const GROUP = { namespace: "shop", cluster: "cache" };
const PLACE = PATH.networkPolicies("shop", "cache-redis-ha");
const settings = (policy: string, port = "6379"): GroupSettings =>
  parseSettings({ "redis-ha.io/cluster": "cache", "redis-ha.io/network-policy": policy, "redis-ha.io/port": port }).settings;
const service = expand({ redis: { a: "master" }, service: {} }).masterService;
if (service === undefined) throw new Error("a scenario with a Service has one");

let api: FakeApi;
beforeEach(async () => {
  api = await startFakeApi();
});
afterEach(async () => await api.close());

const apply = (policy: string, port?: string): Promise<boolean> =>
  applyNetworkPolicy(api.kube, GROUP, settings(policy, port), "redis-ha-system", service);
const stored = (): NetworkPolicy | undefined => api.objects.get(PLACE) as NetworkPolicy | undefined;

test("pods of other groups are never clients; other ports of the pods stay open to all", () => {
  const { ingress, podSelector } = networkPolicySpec(GROUP, settings("namespace"), "redis-ha-system") as NonNullable<
    NetworkPolicy["spec"]
  >;
  expect(podSelector).toEqual({ matchLabels: { "redis-ha.io/cluster": "cache" } });
  const [ours, others] = ingress ?? [];
  expect(ours?.ports).toEqual([
    { protocol: "TCP", port: 6379 },
    { protocol: "TCP", port: 26379 },
  ]);
  expect(ours?._from ?? Reflect.get(ours ?? {}, "from")).toEqual([
    { podSelector: { matchLabels: { "redis-ha.io/cluster": "cache" } } },
    {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "redis-ha-system" } },
      podSelector: { matchLabels: { "app.kubernetes.io/name": "redis-ha" } },
    },
    { podSelector: { matchExpressions: [{ key: "redis-ha.io/cluster", operator: "DoesNotExist" }] } },
  ]);
  const open = (port: number): boolean =>
    others?.ports?.some((one) => one.protocol === "TCP" && Number(one.port) <= port && port <= (one.endPort ?? 0)) ?? false;
  expect([1, 6378, 6380, 9121, 26378, 26380, 65535].every(open)).toBe(true);
  expect([6379, 26379].some(open)).toBe(false);
});

test("made where it is asked for, with the Service as its owner; changed with the annotation; opened with none", async () => {
  expect(await apply("none")).toBe(false);
  expect(stored()).toBeUndefined();
  expect(await apply("labelled")).toBe(true);
  expect(stored()?.metadata?.ownerReferences).toMatchObject([{ kind: "Service", name: "cache-master" }]);
  expect(JSON.stringify(stored()?.spec)).toContain('"redis-ha.io/client":"cache"');
  expect(await apply("labelled"), "nothing to change").toBe(false);
  expect(await apply("labelled", "7000")).toBe(true);
  expect(JSON.stringify(stored()?.spec)).toContain('"port":7000');
  expect(await apply("none")).toBe(true);
  expect(stored()?.spec?.ingress).toEqual([{}]);
});

test("one of that name that somebody else made is left alone", async () => {
  api.put(PLACE, { metadata: { name: "cache-redis-ha" }, spec: { podSelector: {} } } as NetworkPolicy);
  expect(await apply("namespace")).toBe(false);
  expect(stored()?.spec).toEqual({ podSelector: {} });
});
