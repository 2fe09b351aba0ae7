/** The thread of a Crew. */
import { parentPort, workerData } from "node:worker_threads";
import type { Answer, Order } from "./crew.ts";
import { load } from "./thread.ts";
import type { Change } from "./world/hooks.ts";

const { simulate, drawPlan } = await load(workerData as readonly Change[]);

parentPort?.on("message", ({ id, plan, tells }: Order) => {
  simulate(typeof plan === "number" ? drawPlan(plan) : plan, tells).then(
    (verdict) => parentPort?.postMessage({ id, verdict } satisfies Answer),
    (error: unknown) =>
      parentPort?.postMessage({
        id,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      } satisfies Answer),
  );
});
