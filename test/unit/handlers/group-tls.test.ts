/** The certificate Secrets of a group: read in the background, renewed, missing, wrong. */
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { issueLeaf, makeAuthority, type PemPair } from "../../../certs/authority.ts";
import type { GroupOptions } from "../../../handlers/group/source.ts";
import { GroupTls } from "../../../handlers/group/tls.ts";
import { GroupVoice } from "../../../handlers/group/voice.ts";
import { PATH } from "../../../kube/paths.ts";
import type { Secret } from "../../../kube/types.ts";
import type { PodFact } from "../../../model/facts.ts";
import { masterNames } from "../../../model/names.ts";
import { REASON } from "../../../model/reasons.ts";
import { silentLog } from "../../../report/log.ts";
import type { Reporter } from "../../../report/report.ts";
import { expand } from "../../scenarios/expand.ts";
import { type FakeApi, startFakeApi } from "../kube/fake-api.ts";

const HOUR_MS = 3_600_000;
const GROUP = { namespace: "shop", cluster: "cache" };
const PLACE = PATH.secrets("shop", "cache-tls");
const NAMES = masterNames("shop", "cache-master");
/** Without an address: nobody is asked what it shows. */
const PODS: PodFact[] = expand({ redis: { a: "master 1000" }, sentinels: { a: "a 7" } }).members.map(({ pod }) => ({
  ...pod,
  ip: undefined,
  settings: { ...pod.settings, tlsSecret: "cache-tls" },
}));

let authorities: readonly [PemPair, PemPair];
beforeAll(async () => {
  authorities = [await makeAuthority(HOUR_MS, Date.now()), await makeAuthority(HOUR_MS, Date.now())];
});

let api: FakeApi;
let said: [string, string][];
let tls: GroupTls;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  api = await startFakeApi();
  said = [];
  const source = { leading: () => true, involved: () => [], masterServiceName: () => "cache-master" };
  const reporter: Reporter = { report: ({ reason, message }) => void said.push([reason, message]) };
  const options = { kube: api.kube, group: GROUP, log: silentLog(), source, reporter } as unknown as GroupOptions;
  tls = new GroupTls(options, new GroupVoice(options));
});
afterEach(async () => {
  vi.useRealTimers();
  await api.close();
});

async function put(authority: PemPair, names: readonly string[] = NAMES): Promise<void> {
  const leaf = await issueLeaf(authority, names, HOUR_MS, Date.now());
  const texts = { "tls.crt": leaf.cert, "tls.key": leaf.key, "ca.crt": authority.cert };
  const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString("base64")]));
  void api.put(PLACE, { metadata: { name: "cache-tls" }, data } as Secret);
}

const pass = (ms: number): void => void vi.setSystemTime(Date.now() + ms);
const trusted = (): string => String(tls.optionsFor("cache-tls")?.ca ?? "");

test("known after a look, and again every half minute; the former CA stays trusted for half an hour", async () => {
  const [first, second] = authorities;
  await put(first);
  tls.look(PODS, false);
  await expect.poll(trusted).toBe(first.cert);
  expect(tls.optionsFor("other")).toBeUndefined();

  await put(second);
  tls.look(PODS, false);
  pass(31_000);
  tls.look(PODS, false);
  await expect.poll(trusted).toBe(`${second.cert}\n${first.cert}`);
  pass(29 * 60_000);
  tls.look(PODS, false);
  pass(2 * 60_000);
  tls.look(PODS, false);
  await expect.poll(trusted).toBe(second.cert);
  expect(said).toEqual([]);
});

test("a server that is not believed makes it look sooner", async () => {
  const [first, second] = authorities;
  await put(first);
  tls.look(PODS, false);
  await expect.poll(trusted).toBe(first.cert);
  await put(second);
  pass(6000);
  tls.look(PODS, true);
  await expect.poll(trusted).toContain(second.cert);
});

test("a Secret that does not exist is told once, and what is wrong in it", async () => {
  tls.look(PODS, false);
  const missing = "Secret cache-tls does not exist: no pod with it can start; make it, as in docs/tls.md";
  await expect.poll(() => said).toEqual([[REASON.GroupCertificateUnusable, missing]]);
  pass(3000);
  tls.look(PODS, false);
  await put(authorities[0], ["db.shop.svc"]);
  pass(3000);
  tls.look(PODS, false);
  await expect.poll(() => said.length).toBe(2);
  expect(said[1]?.[1]).toBe(
    "Secret cache-tls has a certificate for DNS:db.shop.svc, and redis-ha asks for cache-master.shop.svc",
  );
});

test("a Secret that is deleted while the group runs: what is known stays in use", async () => {
  await put(authorities[0]);
  tls.look(PODS, false);
  await expect.poll(trusted).toBe(authorities[0].cert);
  api.drop(PLACE);
  pass(31_000);
  tls.look(PODS, false);
  await expect.poll(() => said.length).toBe(1);
  expect(trusted()).toBe(authorities[0].cert);
});
