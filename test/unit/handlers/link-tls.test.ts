/** The connection to a real redis-server with TLS: who is believed, and what each fault looks like. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectionOptions } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { issueLeaf, makeAuthority, type PemPair } from "../../../certs/authority.ts";
import { Link, type LinkState } from "../../../handlers/observe/link.ts";
import { tlsOptions } from "../../../handlers/observe/tls.ts";
import { masterNames } from "../../../model/names.ts";
import { freePort, redisServer, startServer, type TestServer } from "./server.ts";

const HOUR_MS = 3_600_000;
const NAMES = masterNames("shop", "cache-master");

let folder = "";
let binary = "";
let authority: PemPair;
let leaf: PemPair;
beforeAll(async () => {
  binary = await redisServer();
  folder = mkdtempSync(join(tmpdir(), "redis-ha-link-tls-"));
  authority = await makeAuthority(HOUR_MS, Date.now());
  leaf = await issueLeaf(authority, [NAMES[0]], HOUR_MS, Date.now());
  for (const [name, text] of Object.entries({ "tls.crt": leaf.cert, "tls.key": leaf.key, "ca.crt": authority.cert }))
    writeFileSync(join(folder, name), text);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

async function server(port: number, more: readonly string[] = []): Promise<TestServer> {
  const paths = (["tls.crt", "tls.key", "ca.crt"] as const).map((name) => join(folder, name));
  const [cert = "", key = "", ca = ""] = paths;
  const files = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", ca];
  const options = ["--port", "0", "--tls-port", String(port), ...files, "--tls-auth-clients", "no", ...more];
  const started = await startServer(binary, port, options);
  cleanups.push(() => started.stop());
  return started;
}

const options = (more: Partial<{ authority: string; names: readonly [string, ...string[]] }> = {}): ConnectionOptions =>
  tlsOptions({ certificate: leaf.cert, key: leaf.key, authority: more.authority ?? authority.cert }, more.names ?? NAMES);

function open(port: number, tls: () => ConnectionOptions | undefined): Link {
  const link = new Link({ host: "127.0.0.1", port, password: undefined, name: "test", onChange: () => undefined, tls });
  cleanups.push(() => link.close());
  return link;
}

const become = (link: Link, state: LinkState): Promise<void> => expect.poll(() => link.state, { timeout: 4000 }).toBe(state);

test("by address, with a certificate that names the Service: up; killed: refused, as without TLS", async () => {
  const port = await freePort();
  const redis = await server(port);
  const link = open(port, () => options());
  await become(link, "up");
  expect(await link.call(["PING"])).toBe("PONG");
  redis.signal("SIGKILL");
  await become(link, "refused");
});

test("a server that asks its clients for certificates is shown ours, and does not take one that is for servers only", async () => {
  const port = await freePort();
  await server(port, ["--tls-auth-clients", "yes"]);
  await become(
    open(port, () => options()),
    "denied",
  );
});

test("another CA, or a certificate for other names: denied", async () => {
  const port = await freePort();
  await server(port);
  const other = await makeAuthority(HOUR_MS, Date.now());
  await become(
    open(port, () => options({ authority: other.cert })),
    "denied",
  );
  await become(
    open(port, () => options({ names: masterNames("shop", "db-master") })),
    "denied",
  );
});

test("a server without TLS does not understand us: silent, and never refused", async () => {
  const port = await freePort();
  const plain = await startServer(binary, port);
  cleanups.push(() => plain.stop());
  const link = open(port, () => options());
  await become(link, "timeout");
  expect(link.everUp).toBe(false);
});

test("before the certificate is known nobody is spoken to", async () => {
  const port = await freePort();
  await server(port);
  let known: ConnectionOptions | undefined;
  const link = open(port, () => known);
  await become(link, "timeout");
  expect(link.everUp).toBe(false);
  known = options();
  await become(link, "up");
});
