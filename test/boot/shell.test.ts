/** The shell functions one by one, in dash and in busybox ash, with the answers of sentinels and servers played by the test. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { busyboxBinary } from "../servers/install.ts";

const run = promisify(execFile);
const boot = join(import.meta.dirname, "../../docker/boot");

let folder = "";
let busybox = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "redis-ha-shell-"));
  busybox = await busyboxBinary();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(["dash", "ash"])("%s", (kind) => {
  /** Runs a script after the functions of the boot scripts; its output. */
  async function sh(script: string, words: readonly string[] = []): Promise<string> {
    const text = `. ${boot}/lib.sh; . ${boot}/config.sh; . ${boot}/watch.sh; ${script}`;
    const [program, first] = kind === "ash" ? [busybox, ["sh"]] : ["/bin/sh", []];
    const { stdout } = await run(program, [...first, "-c", text, "sh", ...words], { env: { PATH: "/usr/bin:/bin" } });
    return stdout;
  }

  test.each([
    ["nobody answers", [], ""],
    ["nobody knows a master", ["none 10.0.0.1", "none 10.0.0.2"], ""],
    [
      "the newest word wins over more of an older one",
      ["3 10.0.0.1 6379 2 a 2 1 1 1", "3 10.0.0.1 6379 2 b 2 1 1 1", "10 10.0.0.2 6379 2 c 2 1 1 1"],
      "10.0.0.2 6379 10 1 3",
    ],
    [
      "on a tie the majority",
      ["3 10.0.0.1 6379 2 a 2 1 1 1", "3 10.0.0.2 6379 2 b 2 1 1 1", "none x", "3 10.0.0.2 6379 2 c 2 1 1 1"],
      "10.0.0.2 6379 3 2 3",
    ],
    ["epoch 0, and ghosts count as voters", ["0 10.0.0.1 6379 5 a 2 1 1 1"], "10.0.0.1 6379 0 1 6"],
  ])("the sentinels' word: %s", async (_title, answers, expected) => {
    const text = answers.map((line) => `${line}\n`).join("");
    expect((await sh(`printf '%s' "$1" | best_answer`, [text])).trim()).toBe(expected);
  });

  test.each(["plain", "", "two words", `"quoted" 'both' \\ back\\slash`, "$HOME `id` #hash * ?", "line\nbreak\n", "é€😀"])(
    "a quoted word is the same word to the server: %j",
    async (word) => {
      const quoted = await sh(`quote "$1"`, [word]);
      expect(quoted).not.toContain("\n");
      expect(JSON.parse(quoted.replace(/\$/g, "$"))).toBe(word);
    },
  );

  test("options become the lines that the server makes of them", async () => {
    const words = [
      "--port",
      "1",
      "--save",
      "--name value",
      "x",
      "--empty",
      "",
      "--dashes",
      "--looks-like-an-option",
      "--save",
      "900",
      "1",
      "--last",
    ];
    expect(await sh(`options_to_lines "$@"`, words)).toBe(
      [
        'port "1" ',
        'save ""',
        'name value "x" ',
        'empty "" ',
        'dashes "--looks-like-an-option" ',
        'save "900" "1" ',
        "last \n",
      ].join("\n"),
    );
    expect(await sh(`options_to_lines "$@"`, ["--hz", "1", "--save"])).toBe('hz "1" \nsave ""\n');
    expect(await sh("options_to_lines")).toBe("");
  });

  test("settings: the last word counts, includes in their place, old names and quotes as the server reads them", async () => {
    await writeFile(join(folder, "part.conf"), "Port 7\nSLAVE-SERVE-STALE-DATA no\n\n");
    const lines = [
      "port 1",
      "  # port 2",
      `include ${folder}/pa*.conf`,
      "\tdir '/it\\'s here'",
      'DBFILENAME "a \\"b\\".rdb"',
      'rename-command CONFIG ""',
      "slaveof 1.2.3.4 5",
      "user default on >x",
      "bind 127.0.0.1 ::1",
    ];
    await writeFile(join(folder, "main.conf"), lines.join("\n"));
    const found = (await sh(`settings ${folder}/main.conf`)).trim().split("\n").sort();
    expect(found).toEqual(
      [
        "bind 127.0.0.1",
        'dbfilename a "b".rdb',
        "dir /it's here",
        "port 7",
        "rename-command:config",
        "replica-serve-stale-data no",
        "replicaof 1.2.3.4",
        "user:default",
      ].map((line) => (line.includes(":") ? expect.stringContaining(line) : line)),
    );
  });

  test("an include that includes itself ends", async () => {
    await writeFile(join(folder, "loop.conf"), `hz 1\ninclude ${folder}/loop.conf\n`);
    expect(await sh(`settings ${folder}/loop.conf`)).toBe("hz 1\n");
  });

  describe("a failover is asked for only if it cannot put an empty server over one with data", () => {
    const replica = (ip: string, flags: string): string =>
      `name\n${ip}:6379\nip\n${ip}\nport\n6379\nrunid\nabc\nflags\n${flags}\n`;
    /** keys: the servers with data */
    const safe = async (replicas: readonly string[], keys: readonly string[]): Promise<boolean> => {
      await writeFile(join(folder, "replicas"), replicas.join(""));
      const answer = `cli() { case "$*" in *"sentinel replicas"*) cat ${folder}/replicas ;; *"info keyspace"*) case " ${keys.join(" ")} " in *" $2 "*) echo db0:keys=1 ;; esac ;; esac; }`;
      return (await sh(`HA_LOCAL=me; ${answer}; failover_is_safe sentinel && echo yes || echo no`)).trim() === "yes";
    };
    test("every living replica has data", async () => {
      expect(await safe([replica("b", "slave"), replica("c", "slave")], ["b", "c"])).toBe(true);
      expect(await safe([replica("b", "slave"), replica("c", "slave,s_down,disconnected")], ["b", "me"])).toBe(true);
    });
    test("one is empty: Sentinel could choose it", async () => {
      expect(await safe([replica("b", "slave"), replica("c", "slave")], ["b"])).toBe(false);
    });
    test("nobody has data, and nobody is missing", async () => {
      expect(await safe([replica("b", "slave"), replica("c", "slave")], [])).toBe(true);
      expect(await safe([replica("b", "slave"), replica("c", "slave,s_down")], [])).toBe(false);
      expect(await safe([replica("b", "slave")], ["me"])).toBe(false);
    });
    test("no replica at all", async () => {
      expect(await safe([], ["me"])).toBe(false);
      expect(await safe([], [])).toBe(false);
    });
    test("none is asked for while Sentinel's own is on, or when the role has moved since", async () => {
      const asked = async (on: boolean, answer: string): Promise<boolean> => {
        const stubs = [
          "HA_POD_IP=me HA_PORT=6379 HA_LOCAL=me HA_NAME=group failover_asked=0",
          "hold() { held=99; }; majority() { :; }; failover_is_safe() { :; }; log() { :; }",
          'ask() { named="me 6379" epoch=1 answers="1 me 6379 2 other"; }',
          `failover_is_on() { ${on}; }; ask_sentinel() { echo '${answer}'; }`,
          'cli() { case "$*" in *"sentinel failover"*) echo ASKED >&2 ;; esac; }',
        ];
        return (await sh(`${stubs.join("; ")}; ask_failover 2>&1; true`)).includes("ASKED");
      };
      expect(await asked(false, "1 me 6379 2 other")).toBe(true);
      expect(await asked(true, "1 me 6379 2 other")).toBe(false);
      expect(await asked(false, "2 new 6379 2 other")).toBe(false);
    });
  });
});
