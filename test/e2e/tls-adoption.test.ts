/** A plain Redis becomes a group with TLS. */
import { expect } from "vitest";
import { PATH } from "../../kube/paths.ts";
import type { Pod } from "../../kube/types.ts";
import { ANNOTATION, REDIS_PORT } from "../../model/names.ts";
import { test } from "./lib/scenario.ts";
import { makeDayAuthority, makeTlsSecret, TLS_SECRET, TLS_SERVICE } from "./lib/tls.ts";
import { waitUntil } from "./lib/wait.ts";

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
  const authority = await makeDayAuthority();
  await makeTlsSecret(bed, space.namespace, authority);
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
  const tls = `${ANNOTATION.tls}=secret:${TLS_SECRET}`;
  expect(await annotate(`${ANNOTATION.cluster}=cache`, `${ANNOTATION.auth}=none`, tls)).toBe("");
  const target = { host: TLS_SERVICE, port: REDIS_PORT, tls: { ca: authority.cert, servername: TLS_SERVICE } };
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
