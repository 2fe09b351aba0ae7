/** The password of a group whose Secret comes and goes. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { GroupSecret } from "../../../handlers/group/secret.ts";
import type { GroupOptions } from "../../../handlers/group/source.ts";
import { GroupVoice } from "../../../handlers/group/voice.ts";
import { PATH } from "../../../kube/paths.ts";
import type { Secret } from "../../../kube/types.ts";
import type { PodFact } from "../../../model/facts.ts";
import { REASON } from "../../../model/reasons.ts";
import { silentLog } from "../../../report/log.ts";
import type { Reporter } from "../../../report/report.ts";
import { expand } from "../../scenarios/expand.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";

const GROUP = { namespace: "shop", cluster: "cache" };
const PLACE = PATH.secrets("shop", "cache-redis-ha");
const { members, settings } = expand({ redis: { a: "master 1000" }, sentinels: { a: "a 7" } });
const RUNNING = members.map(({ pod }) => pod);
const NEW: PodFact[] = RUNNING.map((pod) => ({ ...pod, started: false }));

let api: FakeApi;
let said: [string, string][];
beforeEach(async () => {
  api = await startFakeApi();
  said = [];
});
afterEach(async () => {
  vi.useRealTimers();
  await api.close();
});

function secret(): GroupSecret {
  const source = { leading: () => true, involved: () => [] };
  const reporter: Reporter = { report: ({ reason, message }) => void said.push([reason, message]) };
  const options = { kube: api.kube, group: GROUP, log: silentLog(), source, reporter } as unknown as GroupOptions;
  return new GroupSecret(options, new GroupVoice(options));
}

const put = (value: string): void =>
  void api.put(PLACE, {
    metadata: { name: "cache-redis-ha" },
    data: { password: Buffer.from(value).toString("base64") },
  } as Secret);
/** The fake API server keeps what was written; the real one turns stringData into data. */
const stored = (): string | undefined => (api.objects.get(PLACE) as Secret | undefined)?.stringData?.password;
const settle = (): void => {
  const made = stored();
  if (made !== undefined) put(made);
};

test("a new group gets one of its own, once", async () => {
  const made = secret();
  // The second reading finds no data in the fake's object: the real server would have made it of stringData.
  await expect(made.ensure(NEW, settings, false)).rejects.toThrow("has no key");
  expect(stored()).toMatch(/^[A-Za-z0-9]{32}$/);
  expect(said.map(([reason]) => reason)).toEqual([REASON.SecretCreated]);
  settle();
  expect(await made.ensure(NEW, settings, false)).toBe(true);
  expect(said).toHaveLength(1);
});

test("deleted while the group runs it is put back as it was, within half a minute", async () => {
  put("in-use");
  const kept = secret();
  vi.useFakeTimers({ toFake: ["Date"] });
  expect(await kept.ensure(RUNNING, settings, false)).toBe(true);
  api.drop(PLACE);
  vi.setSystemTime(Date.now() + 31_000);
  expect(await kept.ensure(RUNNING, settings, false), "the group goes on meanwhile").toBe(true);
  await vi.waitFor(() => expect(stored()).toBe("in-use"), { timeout: 10_000 });
  expect(kept.value).toBe("in-use");
  await vi.waitFor(() => expect(said.map(([reason]) => reason)).toEqual([REASON.SecretRestored]));
});

test("a running group whose password nobody knows gets no new one; what to do is said once", async () => {
  const lost = secret();
  expect(await lost.ensure(RUNNING, settings, false)).toBe(false);
  expect(await lost.ensure(RUNNING, settings, false)).toBe(false);
  expect(api.objects.has(PLACE)).toBe(false);
  expect(said).toHaveLength(1);
  expect(said[0]?.[0]).toBe(REASON.HaltedSecretMissing);
  expect(lost.halted?.reason).toBe(REASON.HaltedSecretMissing);
  expect(said[0]?.[1]).toContain("kubectl -n shop exec a -- printenv REDIS_HA_PASSWORD");
  expect(Buffer.byteLength(said[0]?.[1] ?? "")).toBeLessThan(1024);
  put("back");
  expect(await lost.ensure(RUNNING, settings, false)).toBe(true);
  expect(lost.value).toBe("back");
  expect(lost.halted).toBeUndefined();
});

test("a value that somebody changed by hand is not taken while the group accepts the old one", async () => {
  put("in-use");
  const kept = secret();
  vi.useFakeTimers({ toFake: ["Date"] });
  await kept.ensure(RUNNING, settings, false);
  put("changed");
  vi.setSystemTime(Date.now() + 31_000);
  expect(await kept.ensure(RUNNING, settings, false)).toBe(true);
  expect(kept.value).toBe("in-use");
  vi.setSystemTime(Date.now() + 6000);
  expect(await kept.ensure(RUNNING, settings, true), "refused by the servers: then it is read").toBe(true);
  expect(kept.value).toBe("changed");
});

const OWN = { ...settings, auth: { kind: "secret", name: "mine", key: "pw" } } as const;
const RUNNING_OWN: PodFact[] = RUNNING.map((pod) => ({ ...pod, settings: { ...pod.settings, auth: OWN.auth } }));
const OWN_PLACE = PATH.secrets("shop", "mine");
const putOwn = (data: Record<string, string>): void => void api.put(OWN_PLACE, { metadata: { name: "mine" }, data } as Secret);

test("a Secret of the user's own that is missing halts the group, with the command that puts it there", async () => {
  const lost = secret();
  expect(await lost.ensure(NEW, OWN, false)).toBe(false);
  expect(said[0]?.[0]).toBe(REASON.HaltedSecretMissing);
  expect(said[0]?.[1]).toBe(
    `Secret mine, which redis-ha.io/auth names, does not exist, and no pod can start without it; put it back with: P='PASSWORD' && kubectl -n shop create secret generic mine --from-literal=pw="$P"`,
  );
  expect(await lost.ensure(RUNNING_OWN, OWN, false)).toBe(false);
  expect(lost.halted?.message).toContain('P="$(kubectl -n shop exec a -- printenv REDIS_HA_PASSWORD)" && kubectl -n shop create');
  putOwn({ other: "eA==" });
  expect(await lost.ensure(RUNNING_OWN, OWN, false)).toBe(false);
  expect(lost.halted?.message).toContain("has no key pw");
  expect(lost.halted?.message).toContain("kubectl -n shop patch secret mine -p ");
  putOwn({ pw: Buffer.from("own").toString("base64") });
  expect(await lost.ensure(RUNNING_OWN, OWN, false)).toBe(true);
  expect(lost.value).toBe("own");
  expect(lost.halted).toBeUndefined();
});

test("a Secret of the user's own that was read and is gone: the group goes on with what is known", async () => {
  putOwn({ pw: Buffer.from("own").toString("base64") });
  const kept = secret();
  vi.useFakeTimers({ toFake: ["Date"] });
  await kept.ensure(RUNNING_OWN, OWN, false);
  api.drop(OWN_PLACE);
  vi.setSystemTime(Date.now() + 6000);
  await expect(kept.ensure(RUNNING_OWN, OWN, true)).rejects.toThrow("does not exist");
  expect(kept.value).toBe("own");
  expect(kept.halted).toBeUndefined();
  expect(said).toEqual([]);
});

test("a roll-out to a Secret that is not there does not stop the group that runs", async () => {
  put("in-use");
  const kept = secret();
  vi.useFakeTimers({ toFake: ["Date"] });
  expect(await kept.ensure(RUNNING, settings, false)).toBe(true);
  const surge: PodFact[] = NEW.map((pod) => ({ ...pod, name: "b", settings: { ...pod.settings, auth: OWN.auth } }));
  await expect(kept.ensure([...RUNNING, ...surge], OWN, false)).rejects.toThrow("go on with the password that they have");
  const asked = api.seen.length;
  expect(await kept.ensure([...RUNNING, ...surge], OWN, false), "and does not ask in every round").toBe(true);
  expect(api.seen.length).toBe(asked);
  expect(kept.halted).toBeUndefined();
  expect(kept.value).toBe("in-use");
  putOwn({ pw: Buffer.from("own").toString("base64") });
  vi.setSystemTime(Date.now() + 6000);
  expect(await kept.ensure([...RUNNING, ...surge], OWN, false)).toBe(true);
  expect(kept.value).toBe("own");
});

test("scaled to nobody, its own Secret deleted, scaled up: halted, for nobody can start", async () => {
  putOwn({ pw: Buffer.from("own").toString("base64") });
  const kept = secret();
  await kept.ensure(RUNNING_OWN, OWN, false);
  kept.doubt();
  api.drop(OWN_PLACE);
  expect(await kept.ensure(NEW, OWN, false)).toBe(false);
  expect(kept.halted?.reason).toBe(REASON.HaltedSecretMissing);
});
