import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { issueLeaf, makeAuthority, type PemPair } from "../../../certs/authority.ts";
import { watchCertificates } from "../../../certs/directory.ts";
import type { CertificateKeeper, ServingPair } from "../../../certs/keeper.ts";
import { silentLog } from "../../../report/log.ts";
import { createMetrics } from "../../../report/metrics.ts";

let directory: string;
let keeper: CertificateKeeper | undefined;
let authority: PemPair;
const leaf = (lifeMs = 3_600_000): Promise<PemPair> => issueLeaf(authority, ["hook.sys.svc"], lifeMs, Date.now());

/** As the kubelet does it: a new directory, and one rename of the link that leads to it. */
let version = 0;
function mount(files: Record<string, string>): void {
  version += 1;
  const data = join(directory, `..${version}`);
  mkdirSync(data);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(data, name), text);
  symlinkSync(data, join(directory, "..data_tmp"));
  renameSync(join(directory, "..data_tmp"), join(directory, "..data"));
  if (version > 1) return;
  for (const name of ["tls.crt", "tls.key", "ca.crt"]) symlinkSync(join("..data", name), join(directory, name));
}
const files = ({ cert, key }: PemPair): Record<string, string> => ({ "tls.crt": cert, "tls.key": key, "ca.crt": authority.cert });

function start(pollMs = 10_000, onPair: (pair: ServingPair) => void = () => undefined) {
  const pairs: ServingPair[] = [];
  keeper = watchCertificates({
    directory,
    pollMs,
    onPair: (pair) => {
      onPair(pair);
      pairs.push(pair);
    },
    metrics: createMetrics(),
    log: silentLog(),
  });
  return { pairs, keeper };
}

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "redis-ha-certs-"));
  version = 0;
  authority = await makeAuthority(7_200_000, Date.now());
});
afterEach(async () => {
  await keeper?.stop();
  rmSync(directory, { recursive: true, force: true });
});

test("serves what is there, and at once what takes its place", async () => {
  const one = await leaf();
  mount(files(one));
  const { pairs, keeper } = start();
  expect(await keeper.firstPair).toEqual({ ...one, ca: authority.cert });
  expect(keeper.ready()).toBe(true);
  const two = await leaf();
  mount(files(two));
  await vi.waitFor(() => expect(pairs.at(-1)?.cert).toBe(two.cert), { timeout: 2000, interval: 10 });
});

test("waits for a directory that is still empty", async () => {
  const { keeper } = start();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(keeper.ready()).toBe(false);
  mount(files(await leaf()));
  await keeper.firstPair;
  expect(keeper.ready()).toBe(true);
});

test("keeps the old pair when the new one is half, of another key, expired, or refused", async () => {
  const one = await leaf();
  mount(files(one));
  let refuse = false;
  const { pairs, keeper } = start(50, () => {
    if (refuse) throw new Error("no");
  });
  await keeper.firstPair;
  const two = await leaf();
  mount(files({ cert: two.cert, key: one.key }));
  await new Promise((resolve) => setTimeout(resolve, 200));
  mount({ "tls.crt": two.cert });
  await new Promise((resolve) => setTimeout(resolve, 200));
  mount(files(await issueLeaf(authority, ["hook.sys.svc"], 1000, Date.now() - 60_000)));
  await new Promise((resolve) => setTimeout(resolve, 200));
  refuse = true;
  mount(files(two));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect([pairs.length, keeper.ready()]).toEqual([1, true]);
  refuse = false;
  await vi.waitFor(() => expect(pairs.at(-1)?.cert).toBe(two.cert), { timeout: 2000, interval: 10 });
});

test("is not ready with a certificate that has ended", async () => {
  mount(files(await leaf(1500)));
  const { keeper } = start();
  await keeper.firstPair;
  await vi.waitFor(() => expect(keeper.ready()).toBe(false), { timeout: 3000 });
});
