/** Doctor and the certificates of groups with TLS. */
import { expect, test } from "vitest";
import { issueLeaf, makeAuthority } from "../../../certs/authority.ts";
import type { Facts } from "../../../cli/doctor/findings.ts";
import { groupCertificates, readTlsSecrets, type TlsSecretSeen, tlsSecretsOf } from "../../../cli/doctor/tls.ts";
import type { Kube } from "../../../kube/client.ts";
import { KubeError } from "../../../kube/error.ts";
import type { Pod } from "../../../kube/types.ts";
import { ANNOTATION, LABEL, masterNames } from "../../../model/names.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const DAY_MS = 86_400_000;

function pod(name: string, annotations: Readonly<Record<string, string>>): Pod {
  const labels = { [LABEL.cluster]: "cache", [LABEL.instance]: name };
  const metadata = { name, uid: name, namespace: "shop", labels, annotations: { [ANNOTATION.cluster]: "cache", ...annotations } };
  return { metadata, spec: { containers: [{ name: "redis" }] } } as unknown as Pod;
}

async function seen(lifeMs: number, name?: string): Promise<TlsSecretSeen> {
  const authority = await makeAuthority(100 * DAY_MS, NOW);
  const leaf = await issueLeaf(authority, [name ?? masterNames("shop", "cache-master")[0]], lifeMs, NOW);
  const texts = { "tls.crt": leaf.cert, "tls.key": leaf.key, "ca.crt": authority.cert };
  const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString("base64")]));
  return { namespace: "shop", cluster: "cache", secret: "cache-tls", service: "cache-master", data };
}

const found = (one: TlsSecretSeen): string[] =>
  groupCertificates({ tlsSecrets: [one], here: NOW } as unknown as Facts).map(({ level, message }) => `${level}: ${message}`);

test("each Secret that pods name, once, with the Service whose name it must carry", () => {
  const tls = { [ANNOTATION.tls]: "secret:cache-tls" };
  const pods = [pod("a", tls), pod("b", tls), pod("c", { ...tls, [ANNOTATION.masterService]: "redis" }), pod("d", {})];
  expect(tlsSecretsOf(pods)).toEqual([{ namespace: "shop", cluster: "cache", secret: "cache-tls", service: "redis" }]);
  expect(tlsSecretsOf(pods.slice(0, 2))).toMatchObject([{ service: "cache-master" }]);
});

test("good, ending, missing, wrong", async () => {
  expect(found(await seen(90 * DAY_MS))).toEqual([]);
  expect(found(await seen(2 * DAY_MS))).toEqual([
    expect.stringMatching(/^warning: shop\/cache: Secret cache-tls has a certificate that ends in /),
  ]);
  const good = await seen(90 * DAY_MS);
  expect(found({ ...good, data: undefined })).toEqual([
    expect.stringContaining("broken: shop/cache: Secret cache-tls does not exist"),
  ]);
  expect(found({ ...good, data: {} })).toHaveLength(3);
  expect(found(await seen(90 * DAY_MS, "db.shop.svc"))).toEqual([
    "broken: shop/cache: Secret cache-tls has a certificate for DNS:db.shop.svc, and redis-ha asks for cache-master.shop.svc",
  ]);
});

test("one that may not be read is left out and named; one that does not exist is a finding", async () => {
  const pods = [pod("a", { [ANNOTATION.tls]: "secret:cache-tls" })];
  const unread: string[] = [];
  const tried = async <T>(what: string, work: Promise<T>): Promise<T | undefined> =>
    await work.catch(() => {
      unread.push(what);
      return undefined;
    });
  const kube = (status: number): { kube: Kube } => ({
    kube: { get: () => Promise.reject(new KubeError({ status, reason: "", message: "no" })) } as unknown as Kube,
  });
  expect(await readTlsSecrets(kube(403), pods, tried)).toEqual([]);
  expect(unread).toEqual(["Secret shop/cache-tls"]);
  expect(await readTlsSecrets(kube(404), pods, tried)).toMatchObject([{ data: undefined }]);
});
