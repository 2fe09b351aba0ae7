/** Makes a failing plan smaller as long as it breaks the same invariant: fewer faults, shorter ones, a plainer group. */
import type { Fault, Plan, Verdict } from "./thread.ts";

const MOST_RUNS = 300;

export async function shrink(failed: Verdict, run: (plan: Plan) => Promise<Verdict>): Promise<{ plan: Plan; runs: number }> {
  let best = failed.plan;
  let runs = 0;
  const fails = async (plan: Plan): Promise<boolean> => {
    runs += 1;
    if ((await run(plan)).broken !== failed.broken) return false;
    best = plan;
    return true;
  };
  const pass = async (): Promise<boolean> => {
    let smaller = false;
    for (const candidate of candidates(best)) {
      if (runs >= MOST_RUNS) return false;
      if (await fails(candidate)) {
        smaller = true;
        break;
      }
    }
    return smaller;
  };
  while (await pass());
  return { plan: best, runs };
}

/** Plans that are one step smaller. */
function* candidates(plan: Plan): Generator<Plan> {
  const { faults, shape, early = [] } = plan;
  for (let at = 0; at < early.length; at += 1) yield { ...plan, early: early.filter((_, other) => other !== at) };
  for (let at = 0; at < faults.length; at += 1) yield { ...plan, faults: faults.filter((_, other) => other !== at) };
  if (shape.apart === true) yield { ...plan, shape: { ...shape, apart: false } };
  if (shape.reuse === true) yield { ...plan, shape: { ...shape, reuse: false } };
  if (shape.shared) yield { ...plan, shape: { ...shape, shared: false } };
  if (shape.stateful || shape.volume || shape.persistence !== "none")
    yield { ...plan, shape: { ...shape, stateful: false, volume: false, persistence: "none" } };
  if (shape.replicas > 3) yield { ...plan, shape: { ...shape, replicas: 3 } };
  if (shape.handlers > 1) yield { ...plan, shape: { ...shape, handlers: 1 } };
  for (let at = 0; at < faults.length; at += 1) {
    const fault = faults[at];
    if (fault === undefined || !("ms" in fault) || fault.ms < 100) continue;
    const shorter = { ...fault, ms: Math.round(fault.ms / 2) } as Fault;
    yield { ...plan, faults: faults.map((one, other) => (other === at ? shorter : one)) };
  }
}
