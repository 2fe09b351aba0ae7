/** What a failing run leaves behind has to be that run: the file, read by the command itself, ends with the same hash. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath } from "node:process";
import { expect, test } from "vitest";
import { Crew } from "./crew.ts";
import { writePlan } from "./plan-file.ts";

const SEED = 8;

function replay(file: string): { text: string; status: number | null } {
  const main = join(import.meta.dirname, "main.ts");
  const { stdout, stderr, status } = spawnSync(execPath, [main, "--replay", file], { encoding: "utf8", timeout: 60_000 });
  return { text: `${stdout}${stderr}`, status };
}

test("--replay of a written plan is the same run, and of one fault less another", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "replay-"));
  const file = join(folder, "plan.json");
  const crew = new Crew(1);
  try {
    const { plan, hash } = await crew.run(SEED, false);
    expect(plan.faults.length).toBeGreaterThan(0);
    writePlan(file, plan);
    expect(replay(file)).toMatchObject({ status: 0, text: expect.stringContaining(`(hash ${hash})`) });
    writePlan(file, { ...plan, faults: plan.faults.slice(1) });
    expect(replay(file).text).not.toContain(`(hash ${hash})`);
    writeFileSync(file, "[]");
    expect(replay(file)).toMatchObject({ status: 1, text: expect.stringContaining("holds no plan") });
  } finally {
    await crew.end();
    rmSync(folder, { recursive: true });
  }
});
