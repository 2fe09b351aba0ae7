/** The shell and TypeScript spell the same names, and the boot report written by one is read by the other. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseBootReport } from "../../model/boot-report.ts";
import { ENV, INJECTED, NOBODY, REDIS_PORT, SENTINEL_PORT } from "../../model/names.ts";

const run = promisify(execFile);
const boot = join(import.meta.dirname, "../../docker/boot");

/** Names that only the boot scripts know, with what for. */
const OWN: Readonly<Record<string, string>> = {
  REDIS_HA_HOME: "where the volume is mounted (tests)",
  REDIS_HA_POD_INFO: "where the downward API volume is mounted (tests)",
  REDIS_HA_LOCAL: "where the pod's own processes are reached (tests)",
  REDIS_HA_BIND: "what the servers bind (tests)",
  REDIS_HA_NOBODY_HOST: "where nobody listens (tests)",
  REDIS_HA_COMMAND_GIVEN: "the webhook: the user's pod has a command",
  REDIS_HA_GRACE_S: "the webhook: the pod's grace period",
  REDIS_HA_PRESTOP_HANDLERS_S: "how long the preStop hook leaves the hand-over to the handlers",
  REDIS_HA_SLOT_WAIT_S: "how long a sentinel waits for its slot",
  REDIS_HA_TURN_S: "how long the turn of a sentinel is that starts again with a renewed certificate (tests)",
  REDIS_HA_SERVER: "between bin/redis and the wrappers: the server that was named by its full path",
  REDIS_HA_GUARD: "between bin/redis and the wrappers: the process that watches for a start past them",
};

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "redis-ha-names-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function sources(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(boot, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && !entry.name.startsWith(".")) {
      const path = join(entry.parentPath, entry.name);
      found.set(path, await readFile(path, "utf8"));
    }
  }
  return found;
}

async function shell(text: string, env: Record<string, string> = {}): Promise<string> {
  const { stdout } = await run("sh", ["-c", `. ${boot}/lib.sh; ${text}`], { env: { PATH: process.env.PATH, ...env } });
  return stdout;
}

describe("names", () => {
  test("every environment name of the scripts is one of the model, or listed here", async () => {
    const known = new Set<string>([...Object.values(ENV), ...Object.keys(OWN)]);
    const used = new Set<string>();
    for (const text of (await sources()).values()) for (const [name] of text.matchAll(/REDIS_HA_[A-Z_]+/g)) used.add(name);
    expect([...used].filter((name) => !known.has(name))).toEqual([]);
    expect(Object.keys(OWN).filter((name) => !used.has(name))).toEqual([]);
  });

  test("defaults are those of the model", async () => {
    const text = "printf '%s ' $HA_HOME $HA_POD_INFO $HA_PORT $HA_SENTINEL_PORT $HA_NOBODY_HOST $HA_NOBODY_PORT";
    const expected = [INJECTED.mountPath, INJECTED.podInfoMountPath, REDIS_PORT, SENTINEL_PORT, NOBODY.host, NOBODY.port];
    expect((await shell(text)).trim().split(" ")).toEqual(expected.map(String));
  });

  test("the commands that the webhook starts are there", async () => {
    for (const command of [INJECTED.redisCommand, INJECTED.sentinelCommand, INJECTED.preStopCommand]) {
      const name = command.replace(`${INJECTED.mountPath}/bin/`, "");
      expect(await readFile(join(boot, name), "utf8")).toMatch(/^#!\/bin\/sh\n/);
    }
  });

  test("the boot report is read back, to the millisecond", async () => {
    await mkdir(join(folder, "appendonlydir"));
    await writeFile(join(folder, "dump.rdb"), "x".repeat(1234));
    await writeFile(join(folder, "appendonlydir/appendonly.aof.1.incr.aof"), "y".repeat(100));
    await writeFile(join(folder, "appendonlydir/appendonly.aof.1.base.rdb"), "y".repeat(50));
    await utimes(join(folder, "dump.rdb"), 1700000000.25, 1700000000.25);
    await utimes(join(folder, "appendonlydir/appendonly.aof.1.incr.aof"), 1700000111.5, 1700000111.5);
    await utimes(join(folder, "appendonlydir/appendonly.aof.1.base.rdb"), 1700000001, 1700000001);
    const settings = `dir ${folder}\nappendonly yes\nreplica-serve-stale-data no`;
    const text = await shell(`. ${boot}/config.sh; user_settings='${settings}'; boot_report`, { REDIS_HA_POD_UID: "abc-1" });
    const report = parseBootReport(text);
    expect(report).toMatchObject({
      podUid: "abc-1",
      rdbModifiedAt: 1700000000250,
      rdbBytes: 1234,
      aofModifiedAt: 1700000111500,
      aofBytes: 150,
      serveStaleData: false,
      appendonly: true,
    });
    expect(Math.abs((report?.bootedAt ?? 0) - Date.now())).toBeLessThan(5000);
  });

  test("the boot report of an empty folder", async () => {
    const text = await shell(`. ${boot}/config.sh; user_settings='dir ${folder}/none'; boot_report`, {
      REDIS_HA_POD_UID: "abc-2",
    });
    expect(parseBootReport(text)).toMatchObject({
      rdbModifiedAt: 0,
      rdbBytes: 0,
      aofModifiedAt: 0,
      aofBytes: 0,
      serveStaleData: true,
      appendonly: false,
    });
  });
});
