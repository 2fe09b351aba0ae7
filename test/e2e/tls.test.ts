/** A group with TLS, as a platform would run it: a certificate for servers only, by the names of the Service, and its renewal under another CA. */
import { join } from "node:path";
import { expect } from "vitest";
import { issueLeaf, makeAuthority, type PemPair } from "../../certs/authority.ts";
import { PATH } from "../../kube/paths.ts";
import type { Pod } from "../../kube/types.ts";
import { ANNOTATION, masterNames, masterServiceName, REDIS_PORT, SENTINEL_PORT, TLS_FILES } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { type Bed, EXAMPLES, signal } from "./lib/bed.ts";
import { eventOf } from "./lib/events.ts";
import { underFault, verdict } from "./lib/fault.ts";
import type { Group } from "./lib/group.ts";
import { type Space, test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const DAY_MS = 86_400_000;
const SERVICE = masterServiceName("cache");
const SECRET = "cache-tls";
/** Four turns of a sentinel, and two kubelets, on a busy machine. */
const TEST_MS = 400_000;

/** As cert-manager makes it; for servers only, as public CAs do. */
async function filesOf(namespace: string, authority: PemPair): Promise<Record<string, string>> {
  const leaf = await issueLeaf(authority, [SERVICE, ...masterNames(namespace, SERVICE)], DAY_MS, Date.now());
  return { [TLS_FILES.certificate]: leaf.cert, [TLS_FILES.key]: leaf.key, [TLS_FILES.authority]: authority.cert };
}

/** The Secret changes; the kubelets look at once, as they do whenever a pod has changed, and not only every minute. */
async function renew(bed: Bed, group: Group, authority: PemPair): Promise<void> {
  const { namespace } = group;
  await bed.kube.mergePatch(PATH.secrets(namespace, SECRET), { stringData: await filesOf(namespace, authority) });
  await bed.kubectl(["-n", namespace, "annotate", "--overwrite", "pods", "-l", "app=cache", `example.com/look=${Date.now()}`]);
}

/** Throws unless every server and every sentinel shows a certificate of this CA. */
async function allShow(group: Group, { client }: Space, authority: PemPair): Promise<void> {
  for (const { status, metadata } of await group.pods()) {
    for (const port of [REDIS_PORT, SENTINEL_PORT]) {
      const target = { ...(await group.at(status?.podIP ?? "", port)), tls: { ca: authority.cert, servername: SERVICE } };
      await client.command(target, "PING").catch((error: unknown) => {
        throw new Error(`${metadata?.name}:${port}: ${String(error)}`);
      });
    }
  }
}

async function makeSecret(bed: Bed, namespace: string, authority: PemPair): Promise<void> {
  await bed.kube.create(PATH.secrets(namespace), {
    metadata: { name: SECRET },
    type: "kubernetes.io/tls",
    stringData: await filesOf(namespace, authority),
  });
}

test(
  "a group with TLS: plain and mistrustful clients, a renewed certificate, a hand-over, a kill",
  async ({ bed, space }) => {
    const group = space.group();
    const [first, second] = [await makeAuthority(DAY_MS, Date.now()), await makeAuthority(DAY_MS, Date.now())];
    group.authority = `${first.cert}${second.cert}`;
    await makeSecret(bed, space.namespace, first);
    await space.apply({ file: join(EXAMPLES, "tls.yaml") });
    await waitUntil("a whole group", 90_000, async () => await group.whole(EXPECTED));

    const target = await group.throughService();
    const { tls: _, ...bare } = target;
    await expect(space.client.commands(bare, [["PING"]]), "a client without TLS").rejects.toThrow();
    const stranger = { ...target, tls: { ca: second.cert, servername: SERVICE } };
    await expect(space.client.commands(stranger, [["PING"]]), "a client that trusts others").rejects.toThrow(
      /VERIFY|SELF_SIGNED/,
    );

    await space.client.startWriters(target);
    await space.client.calm();
    const before = await group.master();
    await space.client.window(true);
    await renew(bed, group, second);
    await waitUntil("all to show the new certificate", 120_000, async () => await allShow(group, space, second));
    await waitUntil("a whole group after the renewal", 30_000, async () => await group.whole(EXPECTED));
    const renewed = await space.client.window();
    expect(renewed.errors, "no writer noticed the renewal").toEqual({});
    expect((await group.master()).name, "nobody was failed over").toBe(before.name);
    await waitUntil("the Event of the renewal", 60_000, async () => {
      await eventOf(bed, space.namespace, "Service", SERVICE, REASON.GroupCertificateRenewed);
    });

    const asked = await underFault(group, "handover, TLS", EXPECTED, async () => {
      await bed.kubectl(["-n", space.namespace, "annotate", "service", SERVICE, "redis-ha.io/handover=any"]);
    });
    expect(asked.window.gapMs).toBeLessThan(3000);
    expect((await verdict(group)).missing, "renewal and hand-over lose nothing").toBe(0);

    await space.client.startWriters(target);
    const killed = await underFault(group, "kill -9, TLS", EXPECTED, async (pod) => {
      await signal(bed, space.namespace, pod, "redis", "SIGKILL");
    });
    expect(killed.window.gapMs).toBeLessThan(4000);
    expect((await verdict(group)).missing).toBeLessThanOrEqual(8);
  },
  TEST_MS,
);

const PLAIN = `
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
        - { name: redis, image: "docker.io/library/redis:7", imagePullPolicy: IfNotPresent, args: ["--save", ""] }
`;

test("a plain redis becomes a group with TLS and keeps its data; a change by a roll-out is refused", async ({ bed, space }) => {
  const group = space.group();
  const authority = await makeAuthority(DAY_MS, Date.now());
  await makeSecret(bed, space.namespace, authority);
  await space.apply({ yaml: PLAIN });
  const plain = await waitUntil("the plain redis", 30_000, async () => {
    const { items } = await bed.kube.list<Pod>(PATH.pods(space.namespace), { query: { labelSelector: "app=legacy" } });
    const host = items[0]?.status?.podIP ?? "";
    return { host, port: REDIS_PORT, answer: await space.client.command({ host, port: REDIS_PORT }, "SET", "kept", "yes") };
  });
  expect(plain.answer).toBe("OK");
  const annotate = async (...words: readonly string[]): Promise<string> => {
    const args = ["-n", space.namespace, "annotate", "deployment", "legacy", ...words];
    const { code, stderr } = await bed.kubectl(args, { allowFailure: true });
    return code === 0 ? "" : stderr;
  };
  const tls = `${ANNOTATION.tls}=secret:${SECRET}`;
  expect(await annotate(`${ANNOTATION.cluster}=cache`, `${ANNOTATION.auth}=none`, tls)).toBe("");
  const target = { host: SERVICE, port: REDIS_PORT, tls: { ca: authority.cert, servername: SERVICE } };
  await waitUntil("the data behind the Service, with TLS", 60_000, async () => {
    const [kept, role] = await space.client.commands(target, [["GET", "kept"], ["ROLE"]]);
    expect(kept).toEqual({ reply: "yes" });
    expect(JSON.stringify(role)).toContain("master");
  });
  await bed.kubectl(["-n", space.namespace, "scale", "deployment", "legacy", "--replicas=2"]);
  await waitUntil("a replica, with TLS", 40_000, async () => {
    const info = String(await space.client.command(target, "INFO", "replication"));
    if (!info.includes("state=online")) throw new Error(info);
  });
  expect(await annotate(`${ANNOTATION.tls}-`)).toContain("pods with and without TLS do not understand each other");
  expect((await group.pods()).length).toBe(2);
});
