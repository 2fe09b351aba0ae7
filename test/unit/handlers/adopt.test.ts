/** The acts of adoption and of the way back, with the accidents that could lose a write: two pretended servers and a pretended API server. */
import { afterEach, expect, test, vi } from "vitest";
import { adopt, givenBack, originalOf, release } from "../../../handlers/act/adopt.ts";
import type { ActContext, ActResult } from "../../../handlers/act/context.ts";
import { LinkError } from "../../../handlers/observe/link.ts";
import { KubeError } from "../../../kube/error.ts";
import type { Service } from "../../../kube/types.ts";
import type { MemberFact, OutsiderFact } from "../../../model/facts.ts";
import { LABEL, MARK, REQUEST } from "../../../model/names.ts";
import { silentLog } from "../../../report/log.ts";
import { expand } from "../../scenarios/expand.ts";

const facts = expand({
  redis: { a: "replica f 500" },
  sentinels: { a: "idle" },
  service: {},
  outside: { f: "master 500 no-report" },
});

type Accident = (words: string) => "late" | "lost" | undefined;

/** A server that knows its role. `late`: does it, and the answer never comes; `lost`: does not do it. */
class Server {
  role: string;
  accident: Accident = () => undefined;
  onInfo: () => void = () => undefined;
  readonly state = "up";
  readonly #name: string;
  readonly #story: string[];

  constructor(name: string, role: string, story: string[]) {
    this.#name = name;
    this.role = role;
    this.#story = story;
  }

  async call(command: readonly string[]): Promise<unknown> {
    const words = command.join(" ");
    if (words.startsWith("INFO")) {
      this.onInfo();
      return "master_repl_offset:500\r\nslave_repl_offset:500\r\nmaster_replid:h\r\n";
    }
    if (words === "ROLE") return [this.role];
    if (words.startsWith("CONFIG")) return "OK";
    const accident = this.accident(words);
    if (accident !== "lost") {
      this.#story.push(`${this.#name}: ${words}`);
      if (command[0] === "REPLICAOF") this.role = command[1] === "NO" ? "master" : `replica of ${command[1]}`;
    }
    if (accident !== undefined) throw new LinkError("no answer");
    return "OK";
  }

  async all(commands: readonly (readonly string[])[]): Promise<unknown[]> {
    return commands.map(() => 0);
  }
}

/** An API server with the one Service; each of `faults` fails one patch. */
class Api {
  faults = 0;
  onPatch: () => void = () => undefined;
  readonly bodies: object[] = [];
  readonly #story: string[];

  constructor(story: string[]) {
    this.#story = story;
  }

  async get(): Promise<Service> {
    const annotations = { [MARK.originalSelector]: '{"app":"legacy"}', [MARK.master]: "{}" };
    const selector = { [LABEL.cluster]: "cache", [LABEL.instance]: "i-a" };
    return { metadata: { name: "legacy", uid: "s", resourceVersion: "1", annotations }, spec: { selector } };
  }

  /** The EndpointSlices: at once as the new selector says. */
  async list(): Promise<unknown> {
    return { items: [{ endpoints: [{ addresses: ["10.0.0.6"] }] }] };
  }

  async mergePatch(_: string, body: object): Promise<unknown> {
    this.onPatch();
    if (this.faults > 0) {
      this.faults -= 1;
      throw new KubeError({ status: 500, reason: "", message: "etcd is away" });
    }
    this.bodies.push(body);
    this.#story.push("Service patched");
    return {};
  }
}

interface Bed {
  readonly story: string[];
  readonly member: Server;
  readonly outsider: Server;
  readonly api: Api;
  leads: boolean;
  run(what: "adopt" | "release"): Promise<ActResult>;
}

/** Pod a is injected, pod f is plain. */
function bed(roles: { a: string; f: string }): Bed {
  const story: string[] = [];
  const made: Bed = {
    story,
    member: new Server("a", roles.a, story),
    outsider: new Server("f", roles.f, story),
    api: new Api(story),
    leads: true,
    run: async (what) => {
      const member = facts.members[0] as MemberFact;
      const outsider = facts.outsiders[0] as OutsiderFact;
      const background: Promise<unknown>[] = [];
      const context = {
        kube: made.api,
        group: facts.group,
        facts,
        log: silentLog(),
        links: {
          redisLink: () => made.member,
          outsiderLinkAt: () => ({ link: made.outsider, open: true }),
          password: undefined,
        },
        endpoints: { addresses: () => undefined, pods: () => [], until: async () => true },
        leading: () => made.leads,
        say: () => undefined,
        recordTimeline: () => undefined,
        learnService: () => undefined,
        background: (work: Promise<unknown>) => background.push(work),
      } as unknown as ActContext;
      const result =
        what === "adopt"
          ? await adopt(context, { kind: "adopt", member, outsider, epoch: 0 })
          : await release(context, { kind: "release", member, outsider });
      await Promise.all(background);
      return result;
    },
  };
  return made;
}

const PAUSE = "CLIENT PAUSE 10000 WRITE";
const [A, F] = ["10.0.0.1 6379", "10.0.0.6 6379"];
const adopting = (): Bed => bed({ a: "replica of 10.0.0.6", f: "master" });
const releasing = (): Bed => bed({ a: "master", f: "replica of 10.0.0.1" });

afterEach(() => {
  vi.restoreAllMocks();
});

/** Lets our own clock jump. */
function stall(): (ms: number) => void {
  const real = performance.now.bind(performance);
  let ahead = 0;
  vi.spyOn(performance, "now").mockImplementation(() => real() + ahead);
  return (ms) => {
    ahead += ms;
  };
}

test("adopt: pause, promote, demote, route, and only at last writes go on", async () => {
  const made = adopting();
  expect(await made.run("adopt")).toEqual({ outcome: "done" });
  expect(made.story).toEqual([`f: ${PAUSE}`, "a: REPLICAOF NO ONE", `f: REPLICAOF ${A}`, "Service patched", "f: CLIENT UNPAUSE"]);
});

test("adopt: a stall after the pause gives it up, since the pause may be over", async () => {
  const made = adopting();
  const ahead = stall();
  made.member.onInfo = () => ahead(11_000);
  expect(await made.run("adopt")).toMatchObject({ outcome: "failed" });
  expect(made.story).toEqual([`f: ${PAUSE}`, "f: CLIENT UNPAUSE"]);
});

test("adopt: who no longer leads promotes nobody", async () => {
  const made = adopting();
  made.member.onInfo = () => {
    made.leads = false;
  };
  expect(await made.run("adopt")).toMatchObject({ outcome: "failed" });
  expect(made.story).toEqual([`f: ${PAUSE}`, "f: CLIENT UNPAUSE"]);
});

test("adopt: a promotion whose answer was late is taken back before writes go on", async () => {
  const made = adopting();
  made.member.accident = (words) => (words === "REPLICAOF NO ONE" ? "late" : undefined);
  expect(await made.run("adopt")).toMatchObject({ outcome: "failed" });
  expect(made.story).toEqual([`f: ${PAUSE}`, "a: REPLICAOF NO ONE", `a: REPLICAOF ${F}`, "f: CLIENT UNPAUSE"]);
});

test("adopt: an old master that cannot be demoted stays the only one, and nothing is routed", async () => {
  const made = adopting();
  made.outsider.accident = (words) => (words === `REPLICAOF ${A}` ? "lost" : undefined);
  expect(await made.run("adopt")).toMatchObject({ outcome: "failed" });
  expect([made.outsider.role, made.member.role]).toEqual(["master", "replica of 10.0.0.6"]);
  expect(made.story).not.toContain("Service patched");
  expect(made.story.at(-1)).toBe("f: CLIENT UNPAUSE");
});

test("release: a Service that can't be patched at once is tried again, before the old one is demoted and ends", async () => {
  const made = releasing();
  made.api.faults = 3;
  expect(await made.run("release")).toEqual({ outcome: "done" });
  expect(made.story).toEqual([`a: ${PAUSE}`, "f: REPLICAOF NO ONE", "Service patched", `a: REPLICAOF ${F}`, "a: CLIENT UNPAUSE"]);
});

test("release: a Service that can't be given back leaves the old master as it was", async () => {
  const made = releasing();
  made.api.faults = 1000;
  const ahead = stall();
  made.api.onPatch = () => ahead(1500);
  expect(await made.run("release")).toMatchObject({ outcome: "failed" });
  expect(made.story).toEqual([`a: ${PAUSE}`, "f: REPLICAOF NO ONE", `f: REPLICAOF ${A}`, "a: CLIENT UNPAUSE"]);
  expect(made.member.role).toBe("master");
});

const taken = (annotations: Record<string, string>): Service => ({
  metadata: { name: "legacy", uid: "s", resourceVersion: "7", annotations },
  spec: { selector: { [LABEL.cluster]: "cache", [LABEL.instance]: "i-a" }, publishNotReadyAddresses: true },
});
const patch = (service: Service): object => givenBack(service, originalOf(service), { app: "workload" });
const OURS = { [LABEL.cluster]: null, [LABEL.instance]: null };

test("the Service that was taken over is as it was before", () => {
  const body = patch(taken({ [MARK.originalSelector]: '{"app":"legacy"}' }));
  expect(body).toMatchObject({
    metadata: { resourceVersion: "7", labels: { [LABEL.cluster]: null } },
    spec: { selector: { ...OURS, app: "legacy" }, publishNotReadyAddresses: false },
  });
  for (const key of [...Object.values(MARK), ...Object.values(REQUEST)])
    expect(body).toHaveProperty(["metadata", "annotations", key], null);
});

test("one that published unready addresses before does so again", () => {
  const service = taken({ [MARK.originalSelector]: '{"app":"legacy"}', [MARK.originalPublish]: "true" });
  expect(patch(service)).toMatchObject({ spec: { publishNotReadyAddresses: true } });
});

test("a Service of ours keeps its label and selects the pods of the workload", () => {
  const body = patch(taken({}));
  expect(body).toMatchObject({ spec: { selector: { ...OURS, app: "workload" } } });
  expect(body).not.toHaveProperty("metadata.labels");
  expect(body).not.toHaveProperty("spec.publishNotReadyAddresses");
});
