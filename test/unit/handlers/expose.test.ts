/** The type of the master Service follows the annotation; what a person chose is never taken back. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { exposure as exposureCheck } from "../../../cli/doctor/exposure-check.ts";
import type { Facts } from "../../../cli/doctor/findings.ts";
import { applyExpose } from "../../../handlers/act/expose.ts";
import { GroupExposure } from "../../../handlers/group/exposure.ts";
import type { GroupOptions } from "../../../handlers/group/source.ts";
import type { GroupVoice } from "../../../handlers/group/voice.ts";
import { planExpose } from "../../../handlers/policies/expose.ts";
import { serviceFact } from "../../../handlers/watch/service-fact.ts";
import { PATH } from "../../../kube/paths.ts";
import type { Service } from "../../../kube/types.ts";
import type { ServiceFact } from "../../../model/facts.ts";
import { type GroupSettings, parseSettings } from "../../../model/settings.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";

const GROUP = { namespace: "shop", cluster: "cache" };
const PLACE = PATH.services("shop", "cache-master");

const settings = (expose?: string): GroupSettings =>
  parseSettings({ "redis-ha.io/cluster": "cache", ...(expose === undefined ? {} : { "redis-ha.io/expose": expose }) }).settings;

interface Wish {
  readonly type?: string;
  readonly byUs?: string;
  readonly taken?: boolean;
  readonly nodePort?: number;
  readonly ingress?: readonly object[];
  readonly local?: boolean;
}

function service({ type = "ClusterIP", byUs, taken = false, nodePort, ingress, local = false }: Wish = {}): Service {
  const annotations = {
    ...(byUs === undefined ? {} : { "redis-ha.io/exposed": byUs }),
    ...(taken ? { "redis-ha.io/original-selector": '{"app":"cache"}' } : {}),
  };
  return {
    metadata: { name: "cache-master", namespace: "shop", uid: "u", resourceVersion: "7", annotations },
    spec: {
      type,
      selector: { "redis-ha.io/cluster": "cache", "redis-ha.io/instance": "a" },
      ports: [{ port: 6379, ...(nodePort === undefined ? {} : { nodePort }) }],
      ...(local ? { externalTrafficPolicy: "Local" } : {}),
    },
    ...(ingress === undefined ? {} : { status: { loadBalancer: { ingress } } }),
  } as unknown as Service;
}

function fact(wish: Wish): ServiceFact {
  const found = serviceFact(service(wish));
  if (found === undefined) throw new Error("a whole Service is a fact");
  return found;
}

test.each<[string, Wish, string | undefined, object]>([
  ["nobody asks", {}, undefined, { act: "nothing" }],
  ["asked for", {}, "NodePort", { act: "expose", type: "NodePort" }],
  ["done", { type: "NodePort", byUs: "NodePort" }, "NodePort", { act: "nothing" }],
  ["another type is asked for", { type: "NodePort", byUs: "NodePort" }, "LoadBalancer", { act: "expose", type: "LoadBalancer" }],
  ["somebody changed it back", { byUs: "NodePort" }, "NodePort", { act: "expose", type: "NodePort" }],
  ["not asked for any more", { type: "NodePort", byUs: "NodePort" }, undefined, { act: "withdraw" }],
  ["none is the same as nothing", { type: "LoadBalancer", byUs: "LoadBalancer" }, "none", { act: "withdraw" }],
  ["a person made it so, and it stays", { type: "NodePort" }, undefined, { act: "nothing" }],
  ["a person made it so before it was asked for", { type: "NodePort" }, "NodePort", { act: "nothing" }],
  ["a Service that was taken over is the person's", { taken: true }, "NodePort", { act: "nothing" }],
])("%s", (_, wish, expose, expected) => {
  expect(planExpose(fact(wish), settings(expose))).toEqual(expected);
});

test.each<[Wish, string | undefined]>([
  [{}, undefined],
  [{ type: "NodePort", nodePort: 30123 }, "NodePort: port 30123 of every node"],
  [{ type: "LoadBalancer", nodePort: 30123 }, "LoadBalancer: no address yet, port 30123 of every node"],
  [{ type: "LoadBalancer", ingress: [{ ip: "203.0.113.5" }] }, "LoadBalancer: 203.0.113.5:6379"],
  [{ type: "LoadBalancer", ingress: [{ hostname: "lb.example.com" }] }, "LoadBalancer: lb.example.com:6379"],
])("where clients connect: %j", (wish, words) => {
  expect(fact(wish).outside).toBe(words);
});

test.each<[string, Wish, RegExp | undefined]>([
  ["not exposed", {}, undefined],
  ["a node port", { type: "NodePort", nodePort: 30123 }, undefined],
  ["a load balancer without an address", { type: "LoadBalancer" }, /has no address/],
  ["traffic policy Local", { type: "NodePort", nodePort: 30123, local: true }, /waits for health checks/],
])("doctor: %s", (_, wish, message) => {
  const found = exposureCheck({ services: [service(wish)] } as unknown as Facts);
  expect(found.map((one) => one.message)).toEqual(message === undefined ? [] : [expect.stringMatching(message)]);
});

describe("what is denied together", () => {
  const errors = (more: object) =>
    parseSettings({ "redis-ha.io/cluster": "cache", "redis-ha.io/expose": "NodePort", ...more }).errors;
  test.each([
    [{ "redis-ha.io/master-service": "redis" }, /that Service is yours/],
    [{ "redis-ha.io/auth": "none" }, /everybody who reaches a node/],
    [{ "redis-ha.io/network-policy": "labelled" }, /lets nobody in from outside/],
  ])("%j", (more, text) => {
    expect(errors(more)).toEqual([expect.stringMatching(text)]);
    expect(errors({ ...more, "redis-ha.io/expose": "none" })).toEqual([]);
  });
});

describe("what is done", () => {
  let api: FakeApi;
  beforeEach(async () => {
    api = await startFakeApi();
    api.put(PLACE, service());
  });
  afterEach(async () => await api.close());

  test("type and mark, and both taken back; ports and selector are not touched", async () => {
    const before = service().spec;
    await applyExpose(api.kube, GROUP, fact({}), { act: "expose", type: "NodePort" });
    expect(api.objects.get(PLACE)).toMatchObject({
      metadata: { annotations: { "redis-ha.io/exposed": "NodePort" } },
      spec: { ...before, type: "NodePort", externalTrafficPolicy: "Cluster" },
    });
    expect(await applyExpose(api.kube, GROUP, fact({}), { act: "withdraw" })).toMatch(/ClusterIP again/);
    expect(api.objects.get(PLACE)).toMatchObject({ metadata: { annotations: {} }, spec: { type: "ClusterIP" } });
  });
});

test("what the API server refuses is told once, and tried again every minute", async () => {
  vi.useFakeTimers();
  try {
    const said: string[] = [];
    let tries = 0;
    const options = {
      kube: {
        mergePatch: async () => {
          tries += 1;
          throw new Error("exceeded quota");
        },
      },
      group: GROUP,
      source: { leading: () => true },
    } as unknown as GroupOptions;
    const kept = new GroupExposure(options, { say: (reason: string) => said.push(reason) } as unknown as GroupVoice);
    for (let second = 0; second < 150; second += 1) {
      kept.keep(settings("NodePort"), fact({}));
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(tries).toBe(3);
    expect(said).toEqual(["ServiceTypeRefused"]);
  } finally {
    vi.useRealTimers();
  }
});
