/** A request on the Service of a group whose password nobody knows: it can't be done, and the person is told. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { GroupObjects } from "../../../handlers/group/objects.ts";
import type { GroupOptions } from "../../../handlers/group/source.ts";
import { GroupVoice } from "../../../handlers/group/voice.ts";
import { serviceFact } from "../../../handlers/watch/service-fact.ts";
import { PATH } from "../../../kube/paths.ts";
import type { KubeObject, Service } from "../../../kube/types.ts";
import { MARK, REQUEST } from "../../../model/names.ts";
import { REASON } from "../../../model/reasons.ts";
import { silentLog } from "../../../report/log.ts";
import type { Reporter } from "../../../report/report.ts";
import { expand } from "../../scenarios/expand.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";

const GROUP = { namespace: "shop", cluster: "cache" };
const PLACE = PATH.services("shop", "cache-master");
const { members, settings } = expand({ redis: { a: "refused", b: "refused" }, sentinels: { a: "a 7", b: "a 7" } });
const RUNNING = members.map(({ pod }) => pod);

let api: FakeApi;
let said: [string, string][];
let shown: Service | undefined;
let leading = true;
beforeEach(async () => {
  api = await startFakeApi();
  said = [];
  leading = true;
});
afterEach(async () => await api.close());

const serviceWith = (annotations: Readonly<Record<string, string>>): KubeObject => {
  const service: Service = { metadata: { name: "cache-master", annotations } };
  return service as KubeObject;
};

/** Somebody has written these requests, and the watch shows it. */
function asked(requests: Readonly<Record<string, string>>): void {
  shown = api.put(PLACE, serviceWith({ [MARK.history]: "[]", ...requests })) as Service;
}

function objects(): GroupObjects {
  const source = {
    leading: () => leading,
    involved: () => [],
    serviceExists: () => true,
    masterServiceName: () => "cache-master",
    masterService: () => (shown === undefined ? undefined : serviceFact(shown)),
    learnService: (service: Service) => {
      shown = service;
    },
    budgets: () => [],
  };
  const reporter: Reporter = { report: ({ reason, message }) => void said.push([reason, message]) };
  const options = { kube: api.kube, group: GROUP, source, reporter, log: silentLog(), handlersNamespace: "redis-ha-system" };
  return new GroupObjects(options as unknown as GroupOptions, new GroupVoice(options as unknown as GroupOptions));
}

const annotations = (): Readonly<Record<string, string>> =>
  (api.objects.get(PLACE) as Service | undefined)?.metadata?.annotations ?? {};
const refusals = (): string[] => said.filter(([reason]) => reason === REASON.RequestRefused).map(([, message]) => message);

test.each(["promote", "handover"] as const)("a request to %s is refused, taken away, and told of once", async (request) => {
  asked({ [REQUEST[request]]: "b" });
  const made = objects();
  expect(await made.ensure(RUNNING, settings, undefined)).toBe(false);
  expect(made.halted?.reason).toBe(REASON.HaltedSecretMissing);
  expect(made.halted?.message).toContain("no master can be chosen or moved");
  expect(annotations()).toEqual({ [MARK.history]: "[]" });
  expect(await made.ensure(RUNNING, settings, undefined)).toBe(false);
  expect(refusals()).toHaveLength(1);
  expect(refusals()[0]).toContain(`${REQUEST[request]}=b`);
  expect(refusals()[0]).toContain("Secret cache-redis-ha");
  expect(refusals()[0]).toContain("ask again");
  asked({ [REQUEST[request]]: "a" });
  await made.ensure(RUNNING, settings, undefined);
  expect(refusals(), "another request, another answer").toHaveLength(2);
});

test("a request that was changed meanwhile is not taken away unread", async () => {
  asked({ [REQUEST.promote]: "b" });
  api.putSilently(PLACE, serviceWith({ [REQUEST.promote]: "a" }));
  expect(await objects().ensure(RUNNING, settings, undefined)).toBe(false);
  expect(annotations()).toEqual({ [REQUEST.promote]: "a" });
  expect(refusals()).toEqual([]);
});

test("who does not lead says and does nothing", async () => {
  leading = false;
  asked({ [REQUEST.promote]: "b" });
  await objects().ensure(RUNNING, settings, undefined);
  expect(annotations()).toHaveProperty([REQUEST.promote], "b");
  expect(refusals()).toEqual([]);
});
