/** Quickstart, upgrade and removal, command by command as the guides have them. All guides: `npm run guides`. */
import { expect, inject } from "vitest";
import { IN_EVERY_TEST } from "../guides/guides.ts";
import { runGuide } from "../guides/run.ts";
import { commandLine } from "./lib/cli.ts";
import { makeNamespace, removeNamespace } from "./lib/namespace.ts";
import { test } from "./lib/scenario.ts";
import { say } from "./lib/wait.ts";

test.for(IN_EVERY_TEST)("%s", { timeout: 300_000 }, async (file, { bed }) => {
  const cluster = inject("cluster");
  const namespace = await makeNamespace(bed);
  try {
    const { run, notRun } = await runGuide(file, { cluster, namespace });
    for (const line of notRun) say(line);
    expect(run).toBeGreaterThan(0);
  } finally {
    await removeNamespace(bed, namespace);
    // The other tests go on with the installation, wherever the guide has ended.
    const { code, stderr } = await (await commandLine(cluster)).run("install");
    expect(code, stderr).toBe(0);
  }
});
