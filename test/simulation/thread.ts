/** A thread in which the product runs in simulated time: what has to be replaced is replaced before anything of the product is loaded. */
import { type Change, replaceModules } from "./world/hooks.ts";
import { replaceRuntime } from "./world/runtime.ts";

export type { Fault, Plan } from "./plan.ts";
export type { Verdict } from "./run.ts";

/** Loads the simulation into this thread; with `changes` the product is a mutant. */
export async function load(changes: readonly Change[] = []): Promise<typeof import("./run.ts") & typeof import("./plan.ts")> {
  replaceModules(changes);
  replaceRuntime();
  return { ...(await import("./run.ts")), ...(await import("./plan.ts")) };
}
