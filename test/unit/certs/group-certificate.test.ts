/** What of a group's certificate Secret is usable, and what a person is told to mend. */
import { beforeAll, expect, test } from "vitest";
import { issueLeaf, makeAuthority, type PemPair } from "../../../certs/authority.ts";
import { inspectGroupCertificate } from "../../../certs/group-certificate.ts";
import { masterNames } from "../../../model/names.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");
const DAY_MS = 86_400_000;
const NAMES = masterNames("shop", "cache-master");

let authority: PemPair;
let leaf: PemPair;
beforeAll(async () => {
  authority = await makeAuthority(30 * DAY_MS, NOW);
  leaf = await issueLeaf(authority, [NAMES[0]], DAY_MS, NOW);
});

const base64 = (texts: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString("base64")]));
const secret = (more: Readonly<Record<string, string>> = {}): Record<string, string> =>
  base64({ "tls.crt": leaf.cert, "tls.key": leaf.key, "ca.crt": authority.cert, ...more });

test("a good one", () => {
  const { usable, problems } = inspectGroupCertificate(secret(), NAMES, NOW);
  expect(problems).toEqual([]);
  expect(usable).toMatchObject({ certificate: leaf.cert, authority: authority.cert, until: NOW + DAY_MS });
});

test.each(NAMES)("one for %s alone is believed", async (name) => {
  const other = await issueLeaf(authority, [name], DAY_MS, NOW);
  expect(inspectGroupCertificate(secret({ "tls.crt": other.cert, "tls.key": other.key }), NAMES, NOW).problems).toEqual([]);
});

test("a wildcard of the namespace is believed", async () => {
  const other = await issueLeaf(authority, ["*.shop.svc"], DAY_MS, NOW);
  expect(inspectGroupCertificate(secret({ "tls.crt": other.cert, "tls.key": other.key }), NAMES, NOW).problems).toEqual([]);
});

test("missing keys are named, all of them", () => {
  expect(inspectGroupCertificate(base64({ "tls.crt": leaf.cert, "ca.crt": "" }), NAMES, NOW)).toEqual({
    usable: undefined,
    problems: ["has no key tls.key", "has no key ca.crt"],
  });
});

test("no certificate, another key, an expired one, another CA, another name", async () => {
  const [otherAuthority, stranger] = [await makeAuthority(DAY_MS, NOW), await issueLeaf(authority, ["db.shop.svc"], DAY_MS, NOW)];
  const problems = (data: Record<string, string>, at = NOW): readonly string[] =>
    inspectGroupCertificate(data, NAMES, at).problems;
  expect(problems(secret({ "tls.crt": "x" }))).toEqual(["has no certificate in tls.crt"]);
  expect(problems(secret({ "tls.key": stranger.key }))).toEqual(["is not usable: tls.key does not belong to tls.crt"]);
  expect(problems(secret(), NOW + 2 * DAY_MS)).toEqual(["is not usable: the serving certificate has expired"]);
  expect(problems(secret({ "ca.crt": otherAuthority.cert }))).toEqual(["has a certificate that no CA in its ca.crt signed"]);
  expect(problems(secret({ "ca.crt": "none" }))).toEqual(["has no CA that is valid now in ca.crt"]);
  expect(problems(secret({ "tls.crt": stranger.cert, "tls.key": stranger.key }))).toEqual([
    "has a certificate for DNS:db.shop.svc, and redis-ha asks for cache-master.shop.svc",
  ]);
  expect(problems(secret({ "ca.crt": `${otherAuthority.cert}${authority.cert}` })), "one of several").toEqual([]);
});
