import { beforeAll, describe, expect, test } from "vitest";
import { issueLeaf, makeAuthority, type PemPair } from "../../../certs/authority.ts";
import { inspect, type Leaf, type Material } from "../../../certs/inspect.ts";
import { type CertConfig, dueAt, type Published, planBundle, planSecret, planServing } from "../../../certs/plan.ts";

const NOW = Date.parse("2026-06-01T00:00:00Z");
const DAY = 86_400_000;
const NAMES = ["hook.ns.svc", "hook"];
const CONFIG: CertConfig = { caLifeMs: 90 * DAY, leafLifeMs: 30 * DAY, propagationMs: 5000 };

let caA: PemPair;
let caB: PemPair;
let leafA: PemPair;
let leafB: PemPair;

beforeAll(async () => {
  caA = await makeAuthority(CONFIG.caLifeMs, NOW);
  caB = await makeAuthority(CONFIG.caLifeMs, NOW + 60 * DAY);
  leafA = await issueLeaf(caA, NAMES, CONFIG.leafLifeMs, NOW);
  leafB = await issueLeaf(caB, NAMES, CONFIG.leafLifeMs, NOW + 60 * DAY);
});

const material = (ca: PemPair, leaf: PemPair, older = ""): Material => ({
  caCert: ca.cert + older,
  caKey: ca.key,
  cert: leaf.cert,
  key: leaf.key,
});
const look = (what: Material, nowMs = NOW) => inspect(what, NAMES, nowMs);
const published = (ageMs: number, ...pems: string[]): Published => {
  const authorities = look({ caCert: pems.join("") }, NOW + 61 * DAY).authorities;
  return { authorities, ageMs: ({ pem }) => (authorities.some((one) => one.pem === pem) ? ageMs : 0) };
};
const leafOf = (what: Material, nowMs = NOW): Leaf => {
  const { leaf } = look(what, nowMs);
  if (!leaf.ok) throw new Error(leaf.why);
  return leaf.value;
};

describe("inspect", () => {
  test("a good Secret", () => {
    const found = look(material(caA, leafA));
    expect(found.signer.ok && found.leaf.ok).toBe(true);
    expect(leafOf(material(caA, leafA)).to - NOW).toBe(CONFIG.leafLifeMs);
  });

  test.each<[string, (good: Material) => Material, RegExp]>([
    ["no leaf", ({ cert: _, ...rest }) => rest, /missing/],
    ["garbage", (good) => ({ ...good, cert: "garbage" }), /unreadable/],
    ["a truncated leaf", (good) => ({ ...good, cert: good.cert?.slice(0, 200) }), /unreadable/],
    ["a foreign key", (good) => ({ ...good, key: caB.key }), /does not belong/],
    ["a garbage key", (good) => ({ ...good, key: "garbage" }), /does not belong/],
    ["a leaf of another CA", (good) => ({ ...good, cert: leafB.cert, key: leafB.key }), /no CA in ca.crt signed/],
  ])("an unusable leaf: %s", (_name, spoil, why) => {
    const { leaf, signer } = look(spoil(material(caA, leafA)));
    expect(leaf).toMatchObject({ ok: false, why: expect.stringMatching(why) });
    expect(signer.ok).toBe(true);
  });

  test("a leaf for another Service, and an expired one", async () => {
    expect(inspect(material(caA, leafA), ["other.ns.svc"], NOW).leaf).toMatchObject({
      ok: false,
      why: expect.stringContaining("other.ns.svc"),
    });
    expect(look(material(caA, leafA), NOW + 31 * DAY).leaf).toMatchObject({ ok: false, why: expect.stringContaining("expired") });
  });

  test.each<[string, Partial<Material>]>([
    ["no CA", { caCert: undefined }],
    ["garbage", { caCert: "garbage" }],
    ["no key", { caKey: undefined }],
    ["a foreign key", { caKey: "garbage" }],
  ])("an unusable CA: %s", (_name, spoiled) => {
    expect(look({ ...material(caA, leafA), ...spoiled }).signer.ok).toBe(false);
  });

  test("an expired CA is no authority", () => {
    expect(look(material(caA, leafA), NOW + 91 * DAY)).toMatchObject({
      authorities: [],
      signer: { ok: false, why: "the CA has expired" },
    });
  });

  test("a bundle of two: the first signs, both are trusted, repeats are dropped", () => {
    const found = look(material(caB, leafA, caA.cert + caB.cert), NOW + 1 * DAY);
    expect(found.authorities.map(({ pem }) => pem)).toEqual([caB.cert, caA.cert]);
    expect(found.leaf).toMatchObject({ ok: true, value: { issuer: { pem: caA.cert } } });
  });
});

describe("planSecret", () => {
  const plan = (secret: Material | undefined, bundle: Published, nowMs = NOW) =>
    planSecret(secret && look(secret, nowMs), bundle, CONFIG, nowMs);

  test("nothing yet: both are made", () => {
    expect(plan(undefined, published(0))).toMatchObject({
      kind: "write",
      authority: "new",
      leaf: "new",
      reason: "CertificateCreated",
    });
  });

  test("all is well: nothing until two thirds of the shorter life", () => {
    const { to, from } = leafOf(material(caA, leafA));
    expect(plan(material(caA, leafA), published(9999, caA.cert))).toEqual({ kind: "keep", atMs: from + ((to - from) * 2) / 3 });
  });

  test("the leaf is due: a new one of the same CA", () => {
    const at = dueAt(leafOf(material(caA, leafA)));
    expect(plan(material(caA, leafA), published(9999, caA.cert), at)).toMatchObject({
      authority: "keep",
      leaf: "new",
      reason: "CertificateRenewed",
    });
  });

  test("the CA is due: a new CA in front of the old one, the leaf stays", async () => {
    const nowMs = NOW + 61 * DAY;
    const fresh = await issueLeaf(caA, NAMES, CONFIG.leafLifeMs, nowMs);
    const step = plan(material(caA, fresh), published(9999, caA.cert), nowMs);
    expect(step).toMatchObject({
      kind: "write",
      authority: "new",
      leaf: "keep",
      reason: "CertificateRenewed",
      trusted: [{ pem: caA.cert }],
    });
  });

  test("a new CA's leaf is made only after the API servers had time to see the CA", async () => {
    const nowMs = NOW + 61 * DAY;
    const fresh = await issueLeaf(caA, NAMES, CONFIG.leafLifeMs, nowMs);
    const half = material(caB, fresh, caA.cert);
    expect(plan(half, published(9999, caA.cert), nowMs)).toEqual({ kind: "keep", atMs: nowMs + 5000 });
    expect(plan(half, published(2000, caA.cert, caB.cert), nowMs)).toEqual({ kind: "keep", atMs: nowMs + 3000 });
    expect(plan(half, published(5000, caA.cert, caB.cert), nowMs)).toMatchObject({
      authority: "keep",
      leaf: "new",
      reason: "CertificateRenewed",
    });
  });

  test("a spoiled leaf is repaired with the same CA, a spoiled CA with both, still trusting what is published", () => {
    const bundle = published(9999, caA.cert);
    expect(plan({ ...material(caA, leafA), key: "x" }, bundle)).toMatchObject({
      authority: "keep",
      leaf: "new",
      reason: "CertificateRepaired",
    });
    const repaired = { authority: "new", leaf: "new", reason: "CertificateRepaired", trusted: [{ pem: caA.cert }] };
    expect(plan({ ...material(caA, leafA), caKey: "x" }, bundle)).toMatchObject(repaired);
    expect(plan(undefined, bundle)).toMatchObject({ ...repaired, why: "the Secret was deleted" });
  });

  test("without a webhook configuration nothing waits for it", () => {
    const none: Published = { authorities: [], ageMs: () => Number.POSITIVE_INFINITY };
    expect(plan(undefined, none)).toMatchObject({ reason: "CertificateCreated" });
    expect(plan(material(caB, leafA, caA.cert), none)).toMatchObject({ leaf: "new" });
  });
});

describe("planBundle", () => {
  test("is the Secret's CAs, and nothing when they are published", () => {
    const found = look(material(caB, leafA, caA.cert), NOW + 61 * DAY);
    expect(planBundle(found, published(0, caA.cert))).toBe(caB.cert + caA.cert);
    expect(planBundle(found, published(0, caB.cert, caA.cert))).toBeUndefined();
  });
});

describe("planServing", () => {
  const nowMs = NOW + 61 * DAY;
  const serve = (found: Leaf | undefined, serving: Leaf | undefined, bundle: Published) =>
    planServing(found, serving, bundle, CONFIG, nowMs);
  const old = (): Leaf => ({ ...leafOf(material(caA, leafA)), to: nowMs + DAY });
  const fresh = (): Leaf => leafOf(material(caB, leafB), nowMs);

  test("the first one at once", () => expect(serve(fresh(), undefined, published(0))).toEqual(fresh()));
  test("the old one until the new CA is known everywhere", () => {
    expect(serve(fresh(), old(), published(1, caA.cert))).toEqual(old());
    expect(serve(fresh(), old(), published(4000, caA.cert, caB.cert))).toEqual(old());
    expect(serve(fresh(), old(), published(5000, caA.cert, caB.cert))).toEqual(fresh());
  });
  test("the new one at once when the old one has expired or is trusted no more", () => {
    expect(serve(fresh(), { ...old(), to: nowMs }, published(0, caA.cert))).toEqual(fresh());
    expect(serve(fresh(), old(), published(1, caB.cert))).toEqual(fresh());
  });
  test("the old one when the Secret has none", () => expect(serve(undefined, old(), published(1, caA.cert))).toEqual(old()));
});
