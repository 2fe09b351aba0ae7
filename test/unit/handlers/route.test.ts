/** The master Service's patch: what it holds, and what it does when somebody else was faster. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { ActContext } from "../../../handlers/act/context.ts";
import { HISTORY_LENGTH, recordOf, selectorPatch, writeRoute } from "../../../handlers/act/route.ts";
import { serviceFact } from "../../../handlers/watch/service-fact.ts";
import type { Kube } from "../../../kube/client.ts";
import { KubeError } from "../../../kube/error.ts";
import type { Service } from "../../../kube/types.ts";
import type { MasterRecord, PodFact } from "../../../model/facts.ts";
import { LABEL, MARK } from "../../../model/names.ts";
import { silentLog } from "../../../report/log.ts";
import { expand } from "../../scenarios/expand.ts";

const facts = expand({ redis: { a: "replica b 1000", b: "master 1000" }, pods: { b: "volume=data-b" } });
const pod = (name: string): PodFact => {
  const found = facts.members.find((member) => member.pod.name === name);
  if (found === undefined) throw new Error(name);
  return found.pod;
};

test("the selector: our two labels, everything else is taken away", () => {
  expect(selectorPatch("cache", "i-b", {})).toEqual({ [LABEL.cluster]: "cache", [LABEL.instance]: "i-b" });
  const present = { app: "cache", [LABEL.instance]: "i-a", [LABEL.cluster]: "old" };
  expect(selectorPatch("cache", "i-b", present)).toEqual({ app: null, [LABEL.cluster]: "cache", [LABEL.instance]: "i-b" });
});

test("the record: without what is not known", () => {
  const since = "2026-01-01T00:00:00Z";
  expect(recordOf(pod("b"), 8, "FailedOver", "h", since)).toEqual({
    pod: "b",
    uid: "uid-b",
    instance: "i-b",
    ip: "10.0.0.2",
    volume: "data-b",
    epoch: 8,
    since,
    reason: "FailedOver",
    replid: "h",
  });
  expect(Object.keys(recordOf({ ...pod("a"), ip: undefined }, 8, "FailedOver", "", since))).not.toContain("replid");
});

interface Stored {
  version: number;
  selector: Record<string, string>;
  record: MasterRecord | undefined;
  history: MasterRecord[];
}

/** An API server with one Service: conflicts where the version is old. */
class Api {
  stored: Stored = {
    version: 1,
    selector: { [LABEL.instance]: "i-a" },
    record: recordOf(pod("a"), 7, "MasterRouted", "h", "then"),
    history: [],
  };
  patches = 0;
  faults: Error[] = [];
  /** so long every patch takes, ms; the version is compared at its end, as the API server does it after the webhooks */
  slowMs = 0;

  service(): Service {
    const { version, selector, record, history } = this.stored;
    const annotations: Record<string, string> = { [MARK.history]: JSON.stringify(history) };
    if (record !== undefined) annotations[MARK.master] = JSON.stringify(record);
    return { metadata: { name: "cache-master", uid: "s", resourceVersion: String(version), annotations }, spec: { selector } };
  }

  async mergePatch(
    _: string,
    body: { metadata: { resourceVersion: string; annotations: Record<string, string> } },
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<unknown> {
    this.patches += 1;
    if (this.slowMs > options.timeoutMs) throw new KubeError({ status: 0, reason: "Timeout", message: "no answer" });
    if (this.slowMs > 0) await sleep(this.slowMs, undefined, { signal: options.signal });
    const fault = this.faults.shift();
    if (fault !== undefined) return Promise.reject(fault);
    if (body.metadata.resourceVersion !== String(this.stored.version)) return Promise.reject(conflict());
    const parse = (key: string) => JSON.parse(body.metadata.annotations[key] ?? "null");
    const record: MasterRecord = parse(MARK.master);
    this.stored = {
      version: this.stored.version + 1,
      selector: { [LABEL.instance]: record.instance },
      record,
      history: parse(MARK.history),
    };
    return Promise.resolve(this.service());
  }

  get(): Promise<Service> {
    return Promise.resolve(this.service());
  }
}

const conflict = (): Error => new KubeError({ status: 409, reason: "Conflict", message: "changed" });

test("a patch that waits for somebody's dead webhook is waited for, and tried again beside it", async () => {
  const api = new Api();
  api.slowMs = 2600;
  const startedAt = performance.now();
  expect(await writeRoute(contextOf(api), pod("b"), 8, "FailedOver", "h2")).toEqual({ outcome: "done" });
  expect(performance.now() - startedAt, "the first one counts").toBeLessThan(4500);
  expect(api.patches).toBe(2);
  expect(api.stored.record?.pod).toBe("b");
});

function contextOf(api: Api, learnService: ActContext["learnService"] = () => undefined): ActContext {
  return {
    learnService,
    kube: api as unknown as Kube,
    group: facts.group,
    links: undefined as never,
    log: silentLog(),
    endpoints: undefined as never,
    leading: () => true,
    say: () => undefined,
    recordTimeline: () => undefined,
    background: () => undefined,
    facts: { ...facts, masterService: serviceFact(api.service()) },
  };
}

test("moves the Service and keeps the former master", async () => {
  const api = new Api();
  expect(await writeRoute(contextOf(api), pod("b"), 8, "FailedOver", "h2")).toEqual({ outcome: "done" });
  expect(api.stored).toMatchObject({
    selector: { [LABEL.instance]: "i-b" },
    record: { pod: "b", epoch: 8 },
    history: [{ pod: "a" }],
  });
});

test("the history has an end", async () => {
  const api = new Api();
  api.stored.history = Array.from({ length: HISTORY_LENGTH }, () => recordOf(pod("a"), 1, "MasterRouted", "", "then"));
  await writeRoute(contextOf(api), pod("b"), 8, "FailedOver", "h2");
  expect(api.stored.history).toHaveLength(HISTORY_LENGTH);
});

test("a claim that has come true is the first master's reign, and says so", async () => {
  const api = new Api();
  api.stored.record = recordOf(pod("a"), 0, "WaitingForPods", "", "then");
  await writeRoute(contextOf(api), pod("a"), 0, "MasterRouted", "h");
  expect(api.stored).toMatchObject({ record: { pod: "a", reason: "Bootstrapped" }, history: [] });
});

/** Everything that is said, by a handler that leads or does not. */
function listening(api: Api, said: string[]): ActContext {
  return { ...contextOf(api), leading: () => false, say: (reason, message) => said.push(`${reason}: ${message}`) };
}
const FIRST = "Bootstrapped: a (10.0.0.1) is the first master of the group";

test("whoever writes the first master's reign tells of it, and nobody else", async () => {
  const api = new Api();
  api.stored.record = recordOf(pod("a"), 0, "WaitingForPods", "", "then");
  const said: string[] = [];
  const [one, other, later] = [listening(api, said), listening(api, said), listening(api, said)];
  await Promise.all([writeRoute(one, pod("a"), 0, "MasterRouted", "h"), writeRoute(other, pod("a"), 0, "MasterRouted", "h")]);
  expect(said).toEqual([FIRST]);
  await writeRoute({ ...later, facts: one.facts }, pod("a"), 0, "MasterRouted", "h");
  expect(said, "old facts").toEqual([FIRST]);
  await writeRoute(listening(api, said), pod("b"), 8, "FailedOver", "h2");
  expect(said, "no first master").toEqual([FIRST]);
});

test("the first master's reign is told of also when the answer to its patch was lost", async () => {
  const api = new Api();
  api.stored.record = recordOf(pod("a"), 0, "WaitingForPods", "", "then");
  const said: string[] = [];
  const lost = api.mergePatch.bind(api);
  api.mergePatch = async (...given) => {
    await lost(...given);
    throw new KubeError({ status: 0, reason: "ECONNRESET", message: "cut" });
  };
  await writeRoute(listening(api, said), pod("a"), 0, "MasterRouted", "h");
  expect(api.stored.record.reason).toBe("Bootstrapped");
  expect(said).toEqual([FIRST]);
});

test("a repaired selector is no new reign", async () => {
  const api = new Api();
  api.stored.selector = { app: "x" };
  await writeRoute(contextOf(api), pod("a"), 7, "SelectorRepaired", "h");
  expect(api.stored).toMatchObject({ record: { pod: "a", since: "then" }, history: [] });
});

test("old facts meet a Service that has moved on to a higher epoch: refused", async () => {
  const api = new Api();
  const context = contextOf(api);
  await writeRoute(contextOf(api), pod("b"), 8, "HandedOver", "h2");
  expect((await writeRoute(context, pod("a"), 7, "MasterRouted", "h")).outcome).toBe("refused");
  expect(api.stored.record?.pod).toBe("b");
});

test("the other handler was faster: done, and its reason and time stay", async () => {
  const api = new Api();
  const context = contextOf(api);
  await writeRoute(contextOf(api), pod("b"), 8, "FailedOver", "h2");
  const { version } = api.stored;
  expect(await writeRoute(context, pod("b"), 8, "MasterRouted", "h2")).toEqual({ outcome: "done" });
  expect(api.stored).toMatchObject({ version, record: { reason: "FailedOver" } });
});

test("what the API server answers is known before the watch tells: of the own patch, and of another's", async () => {
  const api = new Api();
  const learnt: string[] = [];
  const learn = ({ spec, metadata }: Service): void =>
    void learnt.push(`${metadata?.resourceVersion} ${spec?.selector?.[LABEL.instance]}`);
  const { version } = api.stored;
  const late = contextOf(api, learn);
  await writeRoute(contextOf(api, learn), pod("b"), 8, "FailedOver", "h2");
  await writeRoute(late, pod("b"), 8, "MasterRouted", "h2");
  expect(learnt).toEqual([`${version + 1} i-b`, `${version + 1} i-b`]);
});

test("somebody else changed something else: tried again on the new version", async () => {
  const api = new Api();
  const context = contextOf(api);
  api.stored.version += 1;
  expect(await writeRoute(context, pod("b"), 8, "FailedOver", "h2")).toEqual({ outcome: "done" });
  expect(api.patches).toBe(2);
});

test("429 and 500 are tried again, 404 is not", async () => {
  const api = new Api();
  api.faults = [429, 500].map((status) => new KubeError({ status, reason: "x", message: "busy" }));
  expect(await writeRoute(contextOf(api), pod("b"), 8, "FailedOver", "h2")).toEqual({ outcome: "done" });
  api.faults = [new KubeError({ status: 404, reason: "NotFound", message: "gone" })];
  expect((await writeRoute(contextOf(api), pod("a"), 9, "FailedOver", "h2")).outcome).toBe("failed");
});

test("a server that asks for a long wait is asked again after a second: clients are waiting for the route", async () => {
  const api = new Api();
  api.faults = [new KubeError({ status: 429, reason: "TooManyRequests", message: "busy", retryAfterMs: 30_000 })];
  const startedAt = performance.now();
  expect(await writeRoute(contextOf(api), pod("b"), 8, "FailedOver", "h2")).toEqual({ outcome: "done" });
  expect(performance.now() - startedAt).toBeLessThan(5000);
});
