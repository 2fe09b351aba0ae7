/** The command line tool as a person runs it: the bundle, a kubeconfig, a real group. */
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env } from "node:process";
import { afterAll, expect, inject } from "vitest";
import { parseAllDocuments } from "yaml";
import { EXIT } from "../../cli/exit.ts";
import type { KubeObject } from "../../kube/types.ts";
import { comparable } from "../../scripts/comparable.ts";
import { installObjects } from "../../scripts/manifests.ts";
import { kubectlCommand } from "../cluster/operate.ts";
import { run } from "../cluster/process.ts";
import { EXAMPLES, PROJECT } from "./lib/bed.ts";
import { commandLine } from "./lib/cli.ts";
import { WHOLE_MS } from "./lib/group.ts";
import { test } from "./lib/scenario.ts";
import { waitUntil } from "./lib/wait.ts";

const EXPECTED = { replicas: 2, sentinels: 3 };
const VIEW_MS = 30_000;
const folder = mkdtempSync(join(tmpdir(), "redis-ha-cli-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("status, explain, doctor, switchover and history of a real group; without the handlers what Kubernetes knows", async ({
  space,
}) => {
  const group = space.group();
  await space.apply({ file: join(EXAMPLES, "quickstart.yaml") });
  await waitUntil("a whole group", WHOLE_MS, async () => await group.whole(EXPECTED));
  const { program, run: cli, atTerminal } = await commandLine(inject("cluster"));
  const name = `${space.namespace}/cache`;
  const { master } = await group.whole(EXPECTED);

  // What it shows is the handlers' view, which may be a moment later than ours.
  await waitUntil("status to be ok", VIEW_MS, async () => {
    const status = await cli("status", name);
    expect(status.stdout).toMatch(new RegExp(`^${name}  ok\\n  master   ${master} since `));
    expect(status.stdout).toContain(`cache-master → ${master}`);
    expect(status.stdout).toContain("3 of 3 answer, 2 are needed");
  });
  const seen = await waitUntil("the roles", VIEW_MS, async () => {
    const [found] = JSON.parse((await cli("status", name, "--json")).stdout) as { pods: { name: string; role: string }[] }[];
    expect(found?.pods.map(({ role }) => role).toSorted()).toEqual(["master", "replica", "replica"]);
    return found;
  });

  const explained = await cli("explain", "-n", space.namespace, master, "--diff");
  expect(explained.stdout).toContain("injected by version");
  expect(explained.stdout).toContain("+   initContainers:");

  await waitUntil("doctor to find nothing broken", VIEW_MS, async () => {
    const doctor = await cli("doctor", "-n", space.namespace, "--json");
    const { findings, notLookedAt } = JSON.parse(doctor.stdout) as {
      findings: { level: string; message: string }[];
      notLookedAt: string[];
    };
    expect(findings.filter(({ level }) => level === "broken")).toEqual([]);
    expect(notLookedAt).toEqual([]);
    expect(findings.map(({ message }) => message).join("\n")).toContain("has no volumes");
  });

  const target = seen?.pods.find((pod) => pod.role === "replica")?.name ?? "";
  await space.client.startWriters(await group.throughService());
  const declined = await atTerminal("n\n", "switchover", name, "--to", target);
  expect(declined.stdout).toContain("Do it? [y/N]");
  expect(declined.stdout).toContain("not done");
  expect(declined.code).toBe(EXIT.refused);
  expect((await cli("switchover", name, "--to", target)).code, "nobody can be asked").toBe(EXIT.refused);
  expect((await group.master()).name).toBe(master);
  const switched = await atTerminal("y\n", "switchover", name, "--to", target);
  expect(switched.code, switched.stdout + switched.stderr).toBe(EXIT.ok);
  expect(switched.stdout).toMatch(/promoted\S* +[\d.]+ m?s/);
  expect(switched.stdout).toContain(`the master moves from ${master} to ${target}`);
  expect(switched.stdout).toMatch(new RegExp(`done\\S*: ${target} took over from ${master}`));
  expect(switched.stdout).toMatch(/gap: writes were held back for [\d.]+ m?s/);
  expect(switched.stdout).toContain("lost: 0");
  expect((await group.master()).name).toBe(target);
  await space.client.stopWriters();
  expect((await space.client.verify(await group.throughService())).missing).toBe(0);

  const history = await cli("history", name, "--steps");
  expect(history.stdout).toMatch(new RegExp(`handover +${master} → ${target}`));
  expect(history.stdout).toMatch(/promoted\S* +[\d.]+ m?s/);
  const refused = await cli("switchover", name, "--to", target, "--yes");
  expect(refused.code).toBe(EXIT.refused);
  expect(refused.stderr).toContain(`${target} is the master of ${name} already`);

  const away = await cli("status", name, "--system-namespace", space.namespace);
  expect(away.stdout).toContain("the handlers were not asked: no pod of redis-ha runs");
  expect(away.stdout).toContain(`cache-master → ${target}`);

  symlinkSync(program, join(folder, "kubectl-redis_ha"));
  const kubectl = await kubectlCommand(["redis-ha", "status", "-n", space.namespace], { name: inject("cluster") });
  const path = `${folder}:${join(PROJECT, "node_modules", ".bin")}:${env.PATH}`;
  const plugin = await run(kubectl.command, kubectl.args, { env: { ...kubectl.env, PATH: path }, timeoutMs: 30_000 });
  expect(plugin.stdout).toContain("cache");
});

test("install brings what kustomize makes, and changes nothing where it is installed already", async ({ bed }) => {
  const { stdout } = await bed.kubectl(["kustomize", join(PROJECT, "manifests", "overlays", "default")]);
  expect(comparable(parseAllDocuments(stdout).map((one) => one.toJS() as KubeObject))).toEqual(comparable(installObjects()));

  const generation = async (): Promise<string> =>
    (await bed.kubectl(["-n", "redis-ha-system", "get", "deployment", "redis-ha", "-o", "jsonpath={.metadata.generation}"]))
      .stdout;
  const before = await generation();
  const installed = await (await commandLine(inject("cluster"))).run("install");
  expect(installed.code, installed.stderr).toBe(EXIT.ok);
  expect(installed.stdout).toContain("installed: redis-ha");
  expect(await generation()).toBe(before);
});
