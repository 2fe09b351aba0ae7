/** One occurrence told three ways with one word: a Kubernetes Event on each object involved, one log line, one count. */

import type { EventRecorder } from "../kube/events.ts";
import type { ObjectRef } from "../kube/types.ts";
import { HALTED, MASTER_CHANGED, REASON, type Reason, WARNING } from "../model/reasons.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export interface Occurrence {
  reason: Reason;
  /** A sentence for people; the same text in the Event and in the log. No secrets. */
  message: string;
  /** Of the group; absent for what concerns the whole process. */
  namespace?: string;
  cluster?: string;
  /** Each gets an Event. Pods, Services, workloads; empty for what only the log should say. */
  involved?: readonly ObjectRef[];
  /** More for the log line alone. */
  fields?: Readonly<Record<string, unknown>>;
}

export interface Reporter {
  /** Never throws and never waits. */
  report(occurrence: Occurrence): void;
}

/** Without `events` (the command line, tests) nothing is written to the API server. `heard` is told of every occurrence too; it must not throw. */
export function createReporter(options: {
  log: Logger;
  metrics: Metrics;
  events?: EventRecorder;
  heard?: (occurrence: Occurrence) => void;
}): Reporter {
  const { log, metrics, events, heard } = options;
  return {
    report: (occurrence) => {
      const { reason, message, namespace, cluster, involved = [], fields = {} } = occurrence;
      heard?.(occurrence);
      metrics.events.inc({ reason });
      if (namespace !== undefined && cluster !== undefined) {
        const labels = { namespace, group: cluster };
        if (MASTER_CHANGED.has(reason)) metrics.masterChanges.inc({ ...labels, reason });
        const { lostBytes } = fields;
        if (reason === REASON.WritesLost && typeof lostBytes === "number") metrics.lostBytes.inc(labels, lostBytes);
      }
      const line = {
        ...fields,
        reason,
        ...(namespace === undefined ? {} : { namespace }),
        ...(cluster === undefined ? {} : { cluster }),
      };
      log[levelOf(reason)](line, message);
      const type = WARNING.has(reason) ? "Warning" : "Normal";
      for (const object of involved) events?.record({ involved: object, reason, message, type });
    },
  };
}

/** A halted group needs a person, so it is an error; a Warning Event is a warning; the rest is information. */
function levelOf(reason: Reason): "error" | "warn" | "info" {
  if (HALTED.has(reason)) return "error";
  return WARNING.has(reason) ? "warn" : "info";
}
