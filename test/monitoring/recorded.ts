/** The alerts over what the program itself exposes of groups in trouble: its own names, labels and values, scraped for more than an hour. */
import type { Situation } from "../scenarios/expand.ts";
import { exposition, WHOLE } from "./exposition.ts";
import { ruleGroups } from "./rules.ts";

interface Case {
  readonly name: string;
  readonly situation: Situation;
  /** when the group's certificate ends, ms since 1970; promtool's time begins there too */
  readonly certificateUntil?: number;
  readonly raises: readonly string[];
}

const DAY_MS = 86_400_000;
const EVERY_S = 15;
const SCRAPES = 300;
/** The longest `for` of a rule is an hour. */
const JUDGED = "70m";

const CASES: readonly Case[] = [
  { name: "a whole group", situation: WHOLE, raises: [] },
  {
    name: "a group with TLS, whose certificate lasts",
    situation: WHOLE,
    certificateUntil: 30 * DAY_MS,
    raises: [],
  },
  {
    name: "a group with TLS, whose certificate ends in two days",
    situation: WHOLE,
    certificateUntil: 2 * DAY_MS,
    raises: ["RedisHaGroupCertificateExpiry"],
  },
  {
    name: "halted: all were down, and a person has the word",
    situation: {
      settings: { recovery: "manual" },
      redis: { a: "replica nobody 5000", b: "replica nobody 4000" },
      pods: { a: "volume=data-a", b: "volume=data-b" },
      sentinels: { a: "idle", b: "idle", c: "idle" },
      service: { selects: "a", record: "a epoch 7" },
    },
    raises: ["RedisHaGroupHalted", "RedisHaReplicaMissing"],
  },
  {
    name: "one sentinel of three is left",
    situation: { ...WHOLE, sentinels: { a: "a 7", b: "timeout", c: "timeout" } },
    raises: ["RedisHaQuorumLost"],
  },
  {
    name: "the master and two sentinels do not answer",
    situation: {
      ...WHOLE,
      redis: { a: "timeout", b: "replica a 1000 down=60s", c: "replica a 1000 down=60s" },
      sentinels: { a: "timeout", b: "timeout", c: "a 7" },
    },
    raises: ["RedisHaGroupMasterless", "RedisHaQuorumLost", "RedisHaReplicaMissing"],
  },
  {
    name: "a replica that is not attached",
    situation: { ...WHOLE, redis: { ...WHOLE.redis, c: "replica a 900 down=900s" } },
    raises: ["RedisHaReplicaMissing"],
  },
];

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)$/;

/** Each line of a scrape as a series that stays so. */
function seriesOf(text: string): { series: string; values: string }[] {
  return text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
    if (name === undefined || line.startsWith("#")) return [];
    const all = [...(labels === "" ? [] : [labels]), 'pod="one"'].join(",");
    return [{ series: `${name}{${all}}`, values: `${value}x${SCRAPES}` }];
  });
}

/** A file for `promtool test rules`: in each case every alert is asked for. */
export async function recordedTests(ruleFile: string): Promise<object> {
  const rules = ruleGroups().flatMap((group) => group.rules);
  const tests = CASES.map(async ({ name, situation, certificateUntil, raises }) => ({
    name,
    interval: `${EVERY_S}s`,
    input_series: seriesOf(await exposition(situation, certificateUntil)),
    alert_rule_test: rules.map(({ alert, labels }) => ({
      eval_time: JUDGED,
      alertname: alert,
      exp_alerts: raises.includes(alert) ? [{ exp_labels: { ...labels, namespace: "shop", group: "cache" } }] : [],
    })),
  }));
  return { rule_files: [ruleFile], evaluation_interval: `${EVERY_S}s`, tests: await Promise.all(tests) };
}
