/** Takes the times of a change of master, and keeps the last ones on the master Service: they outlive every replica of the handlers. */
import type { Kube } from "../../kube/client.ts";
import { isConflict } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { Service } from "../../kube/types.ts";
import type { GroupId } from "../../model/facts.ts";
import { MARK } from "../../model/names.ts";
import { mergeTimelines, packTimelines, type Timeline, type TimelineStep, unpackTimelines } from "../../model/timeline.ts";

export type { Timeline };

/** A timeline in the making. */
type Running = { -readonly [Key in "to" | "outcome"]: Timeline[Key] } & Omit<Timeline, "to" | "outcome" | "steps"> & {
    readonly steps: TimelineStep[];
  };

export class Stopwatch {
  readonly #start: number;
  readonly timeline: Running;

  /** @param since where the time begins, ms since 1970; default: now */
  constructor(kind: Timeline["kind"], cause: string, from: string, since = Date.now()) {
    this.#start = performance.now() - Math.max(0, Date.now() - since);
    this.timeline = { kind, cause, startedAt: new Date(since).toISOString(), from, to: "", outcome: "running", steps: [] };
  }

  /** Notes that a step was reached now; returns the ms since the start. The tests of crashes stop the process here (test/e2e/lib/inspect). */
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

const TRIES = 4;

/** Adds one to those on the Service (ADR 0017). A Service that records no master was given back meanwhile, and gets nothing. Rejects when it can't be written. */
export async function keepTimeline(kube: Kube, group: GroupId, service: string, timeline: Timeline): Promise<void> {
  const path = PATH.services(group.namespace, service);
  for (let attempt = 1; ; attempt += 1) {
    const { metadata } = await kube.get<Service>(path);
    if (metadata?.annotations?.[MARK.master] === undefined) return;
    const all = mergeTimelines([timeline], unpackTimelines(metadata.annotations[MARK.timelines]));
    const { resourceVersion } = metadata;
    try {
      await kube.mergePatch(path, { metadata: { resourceVersion, annotations: { [MARK.timelines]: packTimelines(all) } } });
      return;
    } catch (error) {
      if (!isConflict(error) || attempt >= TRIES) throw error;
    }
  }
}
