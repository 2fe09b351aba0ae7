/** `redis-ha doctor` on a real cluster in which everything that it knows is wrong at once; then what it says is done, and it finds nothing. */
import { join } from "node:path";
import { expect, inject } from "vitest";
import { makeAuthority } from "../../certs/authority.ts";
import type { Finding, Level } from "../../cli/doctor/findings.ts";
import { EXIT } from "../../cli/exit.ts";
import { PATH } from "../../kube/paths.ts";
import type { MutatingWebhookConfiguration, PatchOperation, Pod, Service } from "../../kube/types.ts";
import { ANNOTATION, LABEL, MARK, WEBHOOK_CONFIGURATION } from "../../model/names.ts";
import { type Bed, EXAMPLES, SYSTEM } from "./lib/bed.ts";
import { type CommandLine, commandLine } from "./lib/cli.ts";
import { WHOLE_MS } from "./lib/group.ts";
import { inOtherNamespace } from "./lib/namespace.ts";
import { type Space, test } from "./lib/scenario.ts";
import { scaleUs } from "./lib/us.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const DNS_SLICE = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns";
const CLUSTER_ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/redis-ha";
const CONFIGURATION = PATH.webhookConfigurations(WEBHOOK_CONFIGURATION);
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

interface Answer {
  readonly code: number;
  readonly findings: readonly Finding[];
}

async function doctor(cli: CommandLine, ...args: readonly string[]): Promise<Answer> {
  const { code, stdout, stderr } = await cli.run("doctor", "--json", ...args);
  expect(stdout, stderr).not.toBe("");
  return { code, findings: (JSON.parse(stdout) as { findings: Finding[] }).findings };
}

/** Each finding that was provoked: of this check and level, with these words, and with something to do. */
function expectFound({ findings }: Answer, wanted: readonly (readonly [check: string, level: Level, words: RegExp])[]): void {
  for (const [check, level, words] of wanted) {
    const found = findings.find((one) => one.check === check && words.test(one.message));
    expect(found, `${check} ${words}: ${JSON.stringify(findings, null, 1)}`).toBeDefined();
    expect(found?.level, found?.message).toBe(level);
    expect(found?.mend.length, found?.message).toBeGreaterThan(10);
  }
}

async function patchJson(bed: Bed, kind: string, name: string, operations: readonly PatchOperation[]): Promise<void> {
  await bed.kubectl(["patch", kind, name, "--type=json", "-p", JSON.stringify(operations)]);
}

/** What a person, a tool or a bad day does to one group. Returns what takes it back. */
async function breakGroup(bed: Bed, { namespace, apply }: Space): Promise<() => Promise<void>> {
  await apply({
    yaml: "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: { name: deny }\nspec: { podSelector: {}, policyTypes: [Ingress] }\n",
  });
  const inside = ["-n", namespace];
  await bed.kubectl([...inside, "annotate", "pods", "-l", "app=cache", "--overwrite", `${ANNOTATION.minReplicasToWrite}=0`]);
  const [pod = ""] = (await bed.kubectl([...inside, "get", "pods", "-l", "app=cache", "-o", "name"])).stdout.split("\n");
  const { metadata } = await bed.kube.get<Pod>(PATH.pods(namespace, pod.replace("pod/", "")));
  const status = `${MARK.status}=${metadata?.annotations?.[MARK.status] ?? ""}`;
  await bed.kubectl([
    ...inside,
    "annotate",
    pod,
    "--overwrite",
    `${MARK.status}={"version":"0.0.9"}`,
    `${ANNOTATION.quorum}=many`,
  ]);
  return async () => {
    await bed.kubectl([...inside, "delete", "networkpolicy", "deny"]);
    await bed.kubectl([...inside, "delete", "events", "--field-selector", "reason=SelectorRepaired"]);
    const given = [`${ANNOTATION.minReplicasToWrite}-`, `${ANNOTATION.quorum}-`];
    await bed.kubectl([...inside, "annotate", "pods", "-l", "app=cache", ...given]);
    await bed.kubectl([...inside, "annotate", pod, "--overwrite", status]);
  };
}

/** What a tool does that has the Service as a file: again and again. */
async function misroute(bed: Bed, namespace: string): Promise<void> {
  const service = PATH.services(namespace, "cache-master");
  await bed.kube.mergePatch(service, { spec: { selector: { [LABEL.instance]: "of-somebody-else" } } });
  await waitUntil("the selector to be repaired", 10_000, async () => {
    const { spec } = await bed.kube.get<Service>(service);
    if (spec?.selector?.[LABEL.instance] === "of-somebody-else") throw new Error("not yet");
  });
}

/** A pod that passed no webhook. It asks for a node that nobody has: it only has to exist. */
const PLAIN_POD = {
  metadata: { name: "plain", annotations: { [ANNOTATION.cluster]: "cache" } },
  spec: { containers: [{ name: "redis", image: "docker.io/library/redis:7" }], nodeSelector: { nobody: "has-it" } },
};

/** What belongs to the whole cluster. Returns what puts the parts back that redis-ha does not own. */
async function breakCluster(bed: Bed): Promise<() => Promise<void>> {
  const { rules } = await bed.kube.get<{ rules: { resources: string[] }[] }>(CLUSTER_ROLE);
  const secrets = rules.findIndex(({ resources }) => resources.includes("secrets"));
  // Nobody makes a new group meanwhile, so nothing is refused.
  await patchJson(bed, "clusterrole", "redis-ha", [{ op: "replace", path: `/rules/${secrets}/verbs`, value: ["get"] }]);
  await patchJson(bed, "mutatingwebhookconfiguration", WEBHOOK_CONFIGURATION, [
    { op: "replace", path: "/webhooks/0/failurePolicy", value: "Ignore" },
  ]);
  const slice = await bed.kube.get<{ endpoints: { conditions: object }[] }>(DNS_SLICE);
  const endpoints = slice.endpoints.map((one) => ({ ...one, conditions: { ready: false } }));
  await bed.kube.mergePatch(DNS_SLICE, { endpoints });
  return async () => await bed.kube.mergePatch(DNS_SLICE, { endpoints: slice.endpoints });
}

async function everything(bed: Bed, { namespace }: Space, cli: CommandLine): Promise<void> {
  // The other replica may have been faster than the one that tells.
  await misroute(bed, namespace);
  // A kubelet corrects it within ten seconds.
  const renewTime = new Date(Date.now() + HOUR_MS).toISOString().replace("Z", "000Z");
  await bed.kube.mergePatch("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-1", { spec: { renewTime } });
  const answer = await doctor(cli, "-n", namespace);
  expect(answer.code).toBe(EXIT.broken);
  expectFound(answer, [
    ["webhook", "warning", /failurePolicy Ignore/],
    ["rights", "broken", /may not create secrets/],
    ["dns", "broken", /nobody is behind the cluster's DNS Service/],
    ["clock", "warning", /clock of node node-1 is at least/],
    ["version", "hint", /1 pods were injected by another version/],
    ["network", "broken", /NetworkPolicy \S+\/deny keeps redis-ha away from port 6379/],
    ["selector", "warning", /repaired \d+ times/],
    ["data", "warning", /min-replicas-to-write 0/],
    ["data", "hint", /no volumes/],
    ["settings", "warning", /redis-ha\.io\/quorum: "many" is not allowed/],
  ]);
}

/** A pod that was made past the webhook. */
async function uninjected(bed: Bed, namespace: string, cli: CommandLine): Promise<void> {
  await bed.kube.mergePatch(`/api/v1/namespaces/${namespace}`, { metadata: { labels: { [LABEL.injection]: "disabled" } } });
  await bed.kube.create(PATH.pods(namespace), PLAIN_POD);
  const wanted = ["injection", "broken", /plain asks for group cache but was not injected/] as const;
  expectFound(await doctor(cli, "-n", namespace), [wanted]);
}

/** As after a long time without redis-ha. */
async function expireAuthority(bed: Bed): Promise<void> {
  const caBundle = Buffer.from((await makeAuthority(DAY_MS, Date.now() - 8 * DAY_MS)).cert).toString("base64");
  const { webhooks = [] } = await bed.kube.get<MutatingWebhookConfiguration>(CONFIGURATION);
  const at = (index: number): string => `/webhooks/${index}/clientConfig/caBundle`;
  const expired = webhooks.map((_, index): PatchOperation => ({ op: "replace", path: at(index), value: caBundle }));
  await patchJson(bed, "mutatingwebhookconfiguration", WEBHOOK_CONFIGURATION, expired);
}

test("doctor finds what is wrong, each with what mends it; mended, it finds nothing", { timeout: 240_000 }, async ({
  bed,
  space,
}) => {
  const cli = await commandLine(inject("cluster"));
  const group = space.group();
  const inside = ["-n", space.namespace];
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const nothingToMend = async (): Promise<void> => {
    const { code, findings } = await doctor(cli, ...inside);
    expect(findings.filter(({ level }) => level !== "hint")).toEqual([]);
    expect(code).toBe(EXIT.ok);
  };
  await waitUntil("nothing to mend", 30_000, nothingToMend);

  const mendDns = await breakCluster(bed);
  try {
    const mendGroup = await breakGroup(bed, space);
    for (let times = 1; times <= 3; times += 1) await misroute(bed, space.namespace);
    await waitUntil("everything to be found", 60_000, async () => await everything(bed, space, cli));
    await mendGroup();
    const elsewhere = await doctor(cli, ...inside, "--system-namespace", space.namespace);
    expectFound(elsewhere, [["install", "broken", /no Deployment redis-ha in namespace/]]);
    await inOtherNamespace(bed, async (namespace) => await uninjected(bed, namespace, cli));
    await mendDns();
    await scaleUs(bed, 0);
    await expireAuthority(bed);
    expectFound(await doctor(cli, ...inside), [
      ["install", "broken", /redis-ha is scaled to 0/],
      ["webhook", "broken", /the CA of \S+ has expired/],
    ]);
  } finally {
    await mendDns();
    // What doctor says: the manifests bring back replicas, rights and the failure policy; the server publishes its CA.
    const installed = await cli.run("install");
    expect(installed.code, installed.stderr).toBe(EXIT.ok);
  }
  await waitUntil("nothing to mend", 90_000, async () => {
    await group.whole(EXPECTED);
    await nothingToMend();
  });
  const ours = await bed.kube.list<object>(PATH.pods(SYSTEM));
  expect(ours.items).toHaveLength(2);
});
