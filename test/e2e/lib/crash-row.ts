/** What a crash of the leading handler has cost, as a row of the table in docs/faults.md: `npm run test:crash 2>&1 | grep -o '| .*'` */
import { loadavg } from "node:os";
import type { Verdict, Window } from "./client-pod.ts";
import { say } from "./wait.ts";

export interface CrashCost {
  readonly what: string;
  readonly window: Window;
  readonly found: Verdict;
  /** from the crash until another process had the handlers' Lease, ms */
  readonly leaseMs: number;
  /** why the master that there is at the end is master, by the record on the Service */
  readonly reason: string;
}

/** Says the row; before anything is judged, so that a case that fails has one too. */
export function sayRow({ what, window, found, leaseMs, reason }: CrashCost): void {
  const cells = [
    what,
    `${Math.round(window.gapMs)} ms`,
    `${found.missing} of ${found.acked}`,
    `${Math.round(leaseMs)} ms`,
    reason,
    `${Math.round(loadavg()[0] ?? 0)}`,
  ];
  say(`| ${cells.join(" | ")} |`);
}
