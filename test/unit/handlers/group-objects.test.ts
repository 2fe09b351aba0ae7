/** What is made for a group, and what not any more while it goes. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GroupObjects } from "../../../handlers/group/objects.ts";
import type { GroupOptions } from "../../../handlers/group/source.ts";
import type { GroupVoice } from "../../../handlers/group/voice.ts";
import { PATH } from "../../../kube/paths.ts";
import type { PodFact } from "../../../model/facts.ts";
import { silentLog } from "../../../report/log.ts";
import { expand } from "../../scenarios/expand.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";

const { members, settings, masterService } = expand({
  redis: { a: "master 1000" },
  sentinels: { a: "a 7" },
  service: { selects: "a", record: "a epoch 7" },
});
const STAYING: PodFact[] = members.map(({ pod }) => pod);
const GOING: PodFact[] = STAYING.map((pod) => ({ ...pod, terminating: true }));
const LABELLED = { ...settings, auth: { kind: "none" }, networkPolicy: "labelled" } as const;
const PLACE = PATH.networkPolicies("shop", "cache-redis-ha");

let api: FakeApi;
beforeEach(async () => {
  api = await startFakeApi();
});
afterEach(async () => await api.close());

function objects(): GroupObjects {
  const source = {
    leading: () => true,
    serviceExists: () => true,
    masterServiceName: () => "cache-master",
    masterService: () => masterService,
    budgets: () => [],
  };
  const group = { namespace: "shop", cluster: "cache" };
  const options = { kube: api.kube, group, source, log: silentLog(), handlersNamespace: "redis-ha-system" };
  return new GroupObjects(options as unknown as GroupOptions, { say: () => undefined } as unknown as GroupVoice);
}

const policy = (): string => JSON.stringify(api.objects.get(PLACE) ?? {});

test("a policy for labelled clients lets plain pods in while they copy the data of the last pod of the group", async () => {
  const made = objects();
  await made.ensure(STAYING, LABELLED, undefined);
  await vi.waitFor(() => expect(policy()).toContain('"redis-ha.io/client":"cache"'), { timeout: 15_000 });
  await made.ensure(GOING, LABELLED, expand({ outside: { plain: "master 0 no-report" } }));
  await vi.waitFor(() => expect(policy()).toContain('"key":"redis-ha.io/cluster","operator":"DoesNotExist"'), {
    timeout: 15_000,
  });
});

test("nothing is made or opened for a group that only goes", async () => {
  await objects().ensure(GOING, LABELLED, expand({}));
  expect(api.seen).toEqual([]);
});
