/** Runs every scenario file: facts in, plan and reason out, over several rounds with the memory carried on. See README.md in this folder. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { decide, freshMemory } from "../../handlers/policies/decide.ts";
import type { Action, Memory, Plan } from "../../model/plan.ts";
import { change, expand, ms, type Situation, START } from "./expand.ts";
import { render } from "./render.ts";

interface Round extends Situation {
  /** what happens, in words */
  readonly when?: string;
  /** the plan, in order; [] for "does nothing" */
  readonly plan: readonly string[];
  /** reasons that are told, in order; absent: not compared */
  readonly says?: readonly string[];
  /** texts that stand in the messages told or in the acts' own */
  readonly because?: readonly string[];
  readonly state?: Plan["state"];
}

interface Scenario {
  readonly about: string;
  /** kinds that are part of the comparison here though they usually are not */
  readonly show?: readonly Action["kind"][];
  readonly memory?: {
    readonly firstSeen?: string;
    readonly leadsNew?: boolean;
    readonly tried?: number;
    readonly tryAgainIn?: string;
  };
  readonly rounds: readonly Round[];
}

/** Upkeep that almost every change brings along; it has scenarios of its own. */
const QUIET: readonly Action["kind"][] = ["mark-pod", "configure-redis", "set-sentinel"];

const folder = new URL("./", import.meta.url);
const files = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".yaml"))
  .sort();

describe.each(files)("%s", (file) => {
  const scenarios: Record<string, Scenario> = parse(readFileSync(new URL(file, folder), "utf8"));
  test.each(Object.entries(scenarios))("%s", (_, scenario) => {
    let memory: Memory = {
      ...freshMemory(START + ms(scenario.memory?.firstSeen ?? "-60s")),
      promotionsTried: scenario.memory?.tried ?? 0,
      promoteNotBefore: scenario.memory?.tryAgainIn === undefined ? 0 : START + ms(scenario.memory.tryAgainIn),
      leadingSince: scenario.memory?.leadsNew === true ? undefined : START - 60_000,
      inheritedFor: scenario.memory?.leadsNew === true ? undefined : START - 60_000,
    };
    let situation: Situation = {};
    const found: unknown[] = [];
    for (const round of scenario.rounds) {
      situation = change(situation, round);
      const plan = decide(expand(situation), memory);
      memory = plan.memory;
      const quiet = QUIET.filter((kind) => scenario.show?.includes(kind) !== true);
      found.push({
        ...heading(round),
        plan: plan.actions.filter(({ kind }) => !quiet.includes(kind)).map(render),
        ...(round.says === undefined ? {} : { says: plan.notices.map(({ reason }) => reason) }),
        ...(round.because === undefined ? {} : { because: round.because.filter((text) => words(plan).includes(text)) }),
        ...(round.state === undefined ? {} : { state: plan.state }),
      });
    }
    expect(found).toEqual(scenario.rounds.map((round) => ({ ...heading(round), ...expected(round) })));
  });
});

const heading = ({ at, when }: Round) => ({ at: at ?? "0", ...(when === undefined ? {} : { when }) });

function expected({ plan, says, because, state }: Round): object {
  return {
    plan,
    ...(says === undefined ? {} : { says }),
    ...(because === undefined ? {} : { because }),
    ...(state === undefined ? {} : { state }),
  };
}

function words(plan: Plan): string {
  const acts = plan.actions.map((action) => ("message" in action ? action.message : "cause" in action ? action.cause : ""));
  return [...plan.notices.map(({ message }) => message), ...acts].join("\n");
}
