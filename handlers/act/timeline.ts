/** The steps of one failover or handover with their times, for the log, the metrics, and the last 20 kept per group. */

export interface TimelineStep {
  readonly step: string;
  /** ms since the start */
  readonly ms: number;
}

export interface Timeline {
  readonly kind: "failover" | "handover" | "recovery" | "bootstrap" | "sentinel";
  readonly cause: string;
  /** ISO time */
  readonly startedAt: string;
  readonly from: string;
  to: string;
  outcome: string;
  readonly steps: TimelineStep[];
}

export class Stopwatch {
  readonly #start = performance.now();
  readonly timeline: Timeline;

  constructor(kind: Timeline["kind"], cause: string, from: string) {
    this.timeline = { kind, cause, startedAt: new Date().toISOString(), from, to: "", outcome: "running", steps: [] };
  }

  /** Notes that a step was reached now; returns the ms since the start. */
  mark(step: string): number {
    const ms = Math.round((performance.now() - this.#start) * 10) / 10;
    this.timeline.steps.push({ step, ms });
    return ms;
  }

  /** `voted 2, promoted 3, agreed 9 ms` */
  text(): string {
    return `${this.timeline.steps.map(({ step, ms }) => `${step} ${ms}`).join(", ")} ms`;
  }
}
