/** Law 1 and "the user's configuration stays in force", for every way in which a user starts a server. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseBootReport } from "../../model/boot-report.ts";
import { NOBODY } from "../../model/names.ts";
import { type ServerBinary, serverBinaries } from "../servers/install.ts";
import { Bed, PASSWORD, type Shell } from "./bed.ts";
import { FEW, FORMS, type Form } from "./forms.ts";
import type { Pod } from "./pod.ts";
import type { Variables } from "./running.ts";
import { until } from "./wait.ts";

let servers: readonly ServerBinary[] = [];
beforeAll(async () => {
  servers = await serverBinaries();
});

/** Starts one form in a pod of its own and checks what came of it. */
async function check(bed: Bed, form: Form): Promise<void> {
  const { binary } = bed;
  const pod = await bed.pod();
  const fill = (text: string): string =>
    text.replaceAll("{server}", `${binary.name}-server`).replaceAll("{bin}", binary.bin).replaceAll("{home}", pod.home);
  for (const [name, text] of Object.entries(form.files ?? {})) await put(join(pod.data, name), fill(text));
  const env: Variables = { ...form.env };
  if (form.programs !== undefined) {
    const folder = join(pod.home, "programs");
    for (const [name, text] of Object.entries(form.programs)) await put(join(folder, name), `#!/bin/sh${fill(text)}\n`, 0o755);
    env.PATH = `${folder}:${bed.path}`;
  }
  pod.startRedis(form.words.map(fill), { ...form, env });
  await expectWaiting(pod, form.title);
  const names = Object.keys(form.expected ?? {});
  expect(await pod.config(...names), form.title).toEqual(form.expected ?? {});
  expect(await pod.config("requirepass", "masterauth", "bind", "port", "replica-announce-ip"), form.title).toEqual({
    requirepass: PASSWORD,
    masterauth: PASSWORD,
    bind: pod.ip,
    port: "6379",
    "replica-announce-ip": pod.ip,
  });
  const report = parseBootReport((await pod.config("syslog-ident"))["syslog-ident"] ?? "");
  expect(report, form.title).toMatchObject({ podUid: pod.uid, serveStaleData: form.title !== "a configuration file" });
  // The file can be rewritten, as Sentinel does after each change of role, and still says the same.
  expect(await pod.call("config", "rewrite"), form.title).toEqual(["OK"]);
  if (form.says !== undefined) expect(await pod.redis.log(), form.title).toMatch(form.says);
  expect(await pod.redis.log()).not.toContain(PASSWORD);
  pod.kill();
}

async function put(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, text, { mode });
}

/** Law 1: a replica of nobody, read-only, and silent about its data. */
async function expectWaiting(pod: Pod, title: string): Promise<void> {
  expect(await pod.up(), title).toMatch(new RegExp(`^slave ${pod.ip} ${NOBODY.port} `));
  expect((await pod.call("get", "a"))[0], title).toMatch(/^MASTERDOWN/);
  expect((await pod.call("set", "a", "b"))[0], title).toMatch(/^(READONLY|MASTERDOWN)/);
}

async function all(binary: ServerBinary, shell: Shell, forms: readonly Form[]): Promise<void> {
  const bed = await Bed.make(binary, shell);
  try {
    // a few at a time: two cores, and the rest of the tests runs too
    const queue = [...forms];
    const failures: unknown[] = [];
    const work = async (): Promise<void> => {
      for (let form = queue.shift(); form !== undefined; form = queue.shift())
        await check(bed, form).catch((error: unknown) => failures.push(error));
    };
    await Promise.all([work(), work(), work()]);
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join("\n\n"));
  } finally {
    await bed.close();
  }
}

describe("every way to start a server", () => {
  test("redis 7.0, dash", () => all(server("redis", "7.0"), "dash", FORMS));
  test("redis 7.0, busybox ash", () => all(server("redis", "7.0"), "ash", FORMS));
  test("redis 8.0", () => all(server("redis", "8.0"), "dash", FEW));
  test("valkey 8.1", () => all(server("valkey", "8."), "dash", FEW));
  test("valkey 9", () => all(server("valkey", "9."), "ash", FEW));
});

function server(name: string, version: string): ServerBinary {
  const found = servers.find((candidate) => candidate.name === name && candidate.version.startsWith(version));
  if (found === undefined) throw new Error(`no ${name} ${version}`);
  return found;
}

describe("what is refused or passed through", () => {
  let bed: Bed;
  beforeAll(async () => {
    bed = await Bed.make(server("redis", "7.0"));
  });
  afterAll(() => bed.close());

  test("Redis Cluster is refused with a reason", async () => {
    const pod = await bed.pod();
    const running = pod.startRedis(["--cluster-enabled", "yes"]);
    expect(await running.ended).toBe(1);
    expect(await running.log()).toContain("refused: the configuration has 'cluster-enabled yes'");
  });

  test("a configuration file that is not there", async () => {
    const pod = await bed.pod();
    const running = pod.startRedis(["/etc/none/redis.conf"]);
    expect(await running.ended).toBe(1);
    expect(await running.log()).toContain("cannot read the configuration file /etc/none/redis.conf");
  });

  test("a wrong option is the server's own error", async () => {
    const pod = await bed.pod();
    const running = pod.startRedis(["--maxmemory=5mb"]);
    expect(await running.ended).toBe(1);
    expect(await running.log()).toContain("FATAL CONFIG FILE ERROR");
  });

  test("--version, and a sentinel of the user's own", async () => {
    const pod = await bed.pod();
    const running = pod.startRedis(["redis-server", "--version"], { command: true });
    expect(await running.ended).toBe(0);
    expect(await running.log()).toMatch(/^Redis server v=7/);
    await put(join(pod.data, "sentinel.conf"), `port 26379\nbind ${pod.ip}\n`);
    pod.startRedis(["redis-server", "sentinel.conf", "--sentinel"], { command: true });
    await until("the sentinel", async () => (await pod.callSentinel("role"))[0] === "sentinel");
    expect(await pod.callSentinel("config", "get", "x")).not.toContain("syslog-ident");
  });

  test("something answers where nobody may be", async () => {
    const pod = await bed.pod();
    const other = await bed.pod();
    other.startRedis(["sh", "-c", `PATH=${bed.binary.bin}:$PATH; exec redis-server --port ${NOBODY.port} --bind ${other.ip}`], {
      command: true,
    });
    await until("the stranger", async () => (await other.redis.log()).includes("Ready to accept"));
    const running = pod.startRedis([], { env: { REDIS_HA_NOBODY_HOST: other.ip } });
    expect(await running.ended).toBe(1);
    expect(await running.log()).toContain("where nobody may be");
  });

  test("a start script that passes the wrappers by is stopped, and says why", async () => {
    const pod = await bed.pod();
    await put(join(pod.data, "start.sh"), `#!/bin/sh\nexec ${bed.binary.server} --bind ${pod.ip}\n`, 0o755);
    const running = pod.startRedis(["./start.sh"], { command: true });
    expect(await running.ended).toBe(0);
    expect(await running.log()).toContain("error: the server was started by its full path");
  });

  test("an image's own entrypoint that passes them by is stopped too", async () => {
    const own = await Bed.make(bed.binary);
    try {
      const pod = await own.pod();
      await own.fake("docker-entrypoint.sh", `exec ${own.binary.server} --bind ${pod.ip}`);
      const running = pod.startRedis([]);
      expect(await running.ended).toBe(0);
      expect(await running.log()).toContain("error: the server was started by its full path");
    } finally {
      await own.close();
    }
  });

  test("a start script that uses the name gets its configuration", async () => {
    const pod = await bed.pod();
    await put(join(pod.data, "start.sh"), "#!/bin/sh\nexec redis-server --hz 61\n", 0o755);
    pod.startRedis(["./start.sh"], { command: true });
    await expectWaiting(pod, "script");
    expect(await pod.config("hz")).toEqual({ hz: "61" });
  });

  test("without a password, and with a password of the user's own", async () => {
    const open = await Bed.make(bed.binary, "dash", "");
    try {
      const pod = await open.pod();
      pod.startRedis(["--protected-mode", "yes"]);
      await expectWaiting(pod, "open");
      expect(await pod.config("requirepass", "protected-mode")).toEqual({ requirepass: "", "protected-mode": "no" });
      const locked = await open.pod();
      const running = locked.startRedis(["--requirepass", "secret"]);
      await until("the warning", async () => (await running.log()).includes("has auth: none"));
    } finally {
      await open.close();
    }
  });
});

describe("data of an earlier life", () => {
  test.each([
    ["rdb", ["--save", "1", "1"]],
    ["aof", ["--appendonly", "yes", "--save", ""]],
  ])(
    "%s: still a replica after a restart, the report tells of the files, the data is there once it is master",
    async (kind, words) => {
      const bed = await Bed.make(server("redis", "7.0"));
      try {
        const pod = await bed.pod();
        pod.startRedis(words);
        await pod.up();
        await pod.call("replicaof", "no", "one");
        for (let key = 0; key < 20; key++) expect(await pod.call("set", `key${key}`, "value")).toEqual(["OK"]);
        if (kind === "rdb") expect(await pod.call("save")).toEqual(["OK"]);
        // as a crash does: no goodbye
        pod.redis.kill();
        await pod.redis.ended;
        pod.startRedis(words);
        await expectWaiting(pod, kind);
        const report = parseBootReport((await pod.config("syslog-ident"))["syslog-ident"] ?? "");
        const [bytes, time] =
          kind === "rdb" ? [report?.rdbBytes, report?.rdbModifiedAt] : [report?.aofBytes, report?.aofModifiedAt];
        expect(bytes).toBeGreaterThan(100);
        expect(Math.abs((time ?? 0) - Date.now())).toBeLessThan(30_000);
        await pod.call("replicaof", "no", "one");
        expect(await pod.call("dbsize")).toEqual(["20"]);
      } finally {
        await bed.close();
      }
    },
  );
});
