/**
 * `npm run test:monitoring`: the alert rules under Prometheus' own tool. The rules are valid, each alert is raised by the series it is meant for and by no
 * whole group, also over what the program itself exposes, which passes Prometheus' lint. The last line is `N passed, N failed`.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { buildPromtool } from "../cluster/build/promtool.ts";
import { run } from "../cluster/process.ts";
import { exposition } from "./exposition.ts";
import { recordedTests } from "./recorded.ts";
import { RULE_FILE, type Rule, ruleGroups } from "./rules.ts";

const FOLDER = mkdtempSync(join(tmpdir(), "redis-ha-rules-"));
const TESTS = join(import.meta.dirname, "rules.test.yaml");
let [passed, failed] = [0, 0];

async function check(what: string, args: readonly string[], input?: string): Promise<void> {
  const promtool = await buildPromtool();
  const { code, stdout, stderr } = await run(promtool, args, {
    cwd: FOLDER,
    allowFailure: true,
    ...(input === undefined ? {} : { input }),
  });
  if (code === 0) passed += 1;
  else failed += 1;
  console.log(`${code === 0 ? "passed" : "FAILED"}: ${what}${code === 0 ? "" : `\n${stdout}${stderr}`}`);
}

/** The texts of an alert are checked with the rules themselves; here they would have to be repeated word for word. */
const bare = ({ annotations: _, ...rule }: Rule): object => rule;

function untested(): string[] {
  const { tests } = parse(readFileSync(TESTS, "utf8")) as {
    tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
  };
  const raised = new Set(
    tests.flatMap(({ alert_rule_test }) => alert_rule_test.flatMap((one) => (one.exp_alerts.length > 0 ? one.alertname : []))),
  );
  return ruleGroups().flatMap(({ rules }) => rules.flatMap(({ alert }) => (raised.has(alert) ? [] : alert)));
}

try {
  const groups = ruleGroups();
  writeFileSync(join(FOLDER, "full.yaml"), stringify({ groups }));
  writeFileSync(
    join(FOLDER, "rules.yaml"),
    stringify({ groups: groups.map((group) => ({ ...group, rules: group.rules.map(bare) })) }),
  );
  copyFileSync(TESTS, join(FOLDER, "rules.test.yaml"));
  await check(`${RULE_FILE} is valid`, ["check", "rules", "full.yaml"]);
  await check("each alert is raised when it should, and only then", ["test", "rules", "rules.test.yaml"]);
  writeFileSync(join(FOLDER, "recorded.test.yaml"), stringify(await recordedTests("rules.yaml")));
  await check("what the program exposes of groups in trouble raises their alerts, and no others", [
    "test",
    "rules",
    "recorded.test.yaml",
  ]);
  await check("names, units and HELP of the metrics", ["check", "metrics"], await exposition());
  const missing = untested();
  if (missing.length === 0) passed += 1;
  else {
    failed += 1;
    console.log(`FAILED: no test raises ${missing.join(", ")}`);
  }
} finally {
  rmSync(FOLDER, { recursive: true, force: true });
}
process.exitCode = failed > 0 ? 1 : 0;
console.log(`${passed} passed, ${failed} failed`);
