import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { describe, expect, test } from "vitest";
import { completionScript, SHELLS } from "../../../cli/completion.ts";
import { asYaml, manifests, pathOf } from "../../../cli/install/manifests.ts";
import { consequences } from "../../../cli/install/uninstall-command.ts";
import { peopleCommands } from "../../../cli/people.ts";
import { createProgram } from "../../../cli/program.ts";
import type { GroupStatus } from "../../../cli/status/status.ts";
import { installObjects } from "../../../scripts/manifests.ts";

describe("the manifests of this version", () => {
  test("manifests/install.yaml is the base with the images of the default overlay (after a change: npm run manifests)", () => {
    expect(manifests()).toEqual(installObjects());
  });

  test("the namespace comes first, and every object has its path", () => {
    expect(manifests()[0]?.kind).toBe("Namespace");
    expect(manifests().map(pathOf)).toEqual(
      expect.arrayContaining([
        "/api/v1/namespaces/redis-ha-system",
        "/apis/apps/v1/namespaces/redis-ha-system/deployments/redis-ha",
        "/apis/scheduling.k8s.io/v1/priorityclasses/redis-ha",
        "/apis/policy/v1/namespaces/redis-ha-system/poddisruptionbudgets/redis-ha",
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/redis-ha",
      ]),
    );
  });

  test("images of one's own", () => {
    const text = asYaml(manifests({ image: "r.example/a:1", bootImage: "r.example/b:1" }));
    expect(text).toContain("image: r.example/a:1");
    expect(text).toContain("value: r.example/b:1");
    expect(text).not.toContain("docker.io/redisha");
  });
});

test("before anything is removed it is said what stays, and what is gone", () => {
  const group = { namespace: "shop", cluster: "cache", service: "cache-master", master: "cache-1" } as unknown as GroupStatus;
  const text = consequences([group]).join("\n");
  for (const words of [
    "shop/cache: Services cache-master, cache-replicas, cache-sentinel",
    "Services do not move",
    "plain, empty servers",
  ])
    expect(text).toContain(words);
  expect(consequences([])).toEqual(["There are no groups: nothing stays."]);
});

describe("completion", () => {
  const program = createProgram(peopleCommands());

  test.each(SHELLS)("%s knows every command", (shell) => {
    const script = completionScript(shell, program);
    for (const { name } of program.commands.map((command) => ({ name: command.name() }))) expect(script).toContain(name);
  });

  test("bash completes commands and options, as a shell does it", () => {
    const ask = (words: string[]): string[] => {
      const list = words.map((word) => `"${word}"`).join(" ");
      const script = `${completionScript("bash", program)}\nCOMP_WORDS=(redis-ha ${list}); COMP_CWORD=${words.length}; _redis_ha; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return spawnSync("bash", ["-c", script], { encoding: "utf8" }).stdout.trim().split("\n");
    };
    expect(ask(["sw"])).toEqual(["switchover"]);
    expect(ask(["completion", "z"])).toEqual(["zsh"]);
    expect(ask(["uninstall", "--y"])).toEqual(["--yes"]);
    expect(ask(["history", "--s"])).toEqual(expect.arrayContaining(["--steps", "--system-namespace"]));
  });

  test("kubectl's own completion gets the same, and the groups that `status --json` tells of", () => {
    const folder = mkdtempSync(join(tmpdir(), "redis-ha-completion-"));
    const known = ["cache", "carts"].map((cluster) => ({ namespace: "shop", cluster, state: "ok" }));
    const groups = JSON.stringify(known, null, 2);
    const put = (name: string, text: string): void => writeFileSync(join(folder, name), text, { mode: 0o755 });
    put("kubectl", `#!/bin/sh\n[ "$*" = "redis-ha status --json" ] && printf '%s\\n' '${groups}'\n`);
    put("kubectl_complete-redis_ha", completionScript("kubectl", program));
    const ask = (...words: string[]): string[] =>
      spawnSync(join(folder, "kubectl_complete-redis_ha"), words, {
        encoding: "utf8",
        env: { ...env, PATH: `${folder}:${env.PATH}` },
      })
        .stdout.trim()
        .split("\n");
    expect(ask("sw")).toEqual(["switchover", ":0"]);
    expect(ask("status", "ca")).toEqual(["cache", "carts", ":0"]);
    expect(ask("switchover", "car")).toEqual(["carts", ":0"]);
    expect(ask("doctor", "--nothing")).toEqual([":0"]);
    rmSync(folder, { recursive: true });
  });
});
