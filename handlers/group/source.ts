/** What a group's loop is made of: the interfaces between it, the watches, and whoever looks at it. */
import type { Kube } from "../../kube/client.ts";
import type { ObjectRef, Service } from "../../kube/types.ts";
import type { GroupFacts, GroupId, PodFact, ServiceFact } from "../../model/facts.ts";
import type { Notice, Plan } from "../../model/plan.ts";
import type { GroupSettings } from "../../model/settings.ts";
import type { Timeline } from "../../model/timeline.ts";
import type { Logger } from "../../report/log.ts";
import type { Metrics } from "../../report/metrics.ts";
import type { Reporter } from "../../report/report.ts";
import type { Endpoints } from "../act/context.ts";
import type { OutsiderPod } from "../observe/group-links.ts";
import type { BudgetFacts } from "../policies/disruption-budget.ts";

/** What the group's loop asks of the watches. */
export interface GroupSource {
  pods(): PodFact[];
  /** the master Service; undefined: does not exist */
  masterService(name: string): ServiceFact | undefined;
  serviceExists(name: string): boolean;
  /** the API server's answer about the master Service: `masterService` tells no older one from now on */
  learnService(service: Service): void;
  /** un-injected pods of the same workloads, and the labels that those workloads select by */
  outsiders(): Promise<{ pods: OutsiderPod[]; selector: Readonly<Record<string, string>> | undefined }>;
  settings(): GroupSettings;
  leading(): boolean;
  readonly endpoints: Endpoints;
  /** has the API server asked where the master Service leads, beside the watch, which may have fallen silent; what it answers wakes the group */
  askEndpoints(): void;
  /** what there is of PodDisruptionBudgets; empty while nobody has told of them */
  budgets(): BudgetFacts[];
  /** in how many ms kube-proxy takes up a change of endpoints at once; 0: now */
  proxiesFreeInMs(): number;
  /** objects that get the group's Events besides the master Service */
  involved(): ObjectRef[];
  masterServiceName(): string;
  /** the last changes of master, as the master Service tells, newest first */
  timelines(): Timeline[];
}

export interface GroupOptions {
  readonly kube: Kube;
  readonly group: GroupId;
  readonly source: GroupSource;
  readonly reporter: Reporter;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** where our own pods run */
  readonly handlersNamespace: string;
}

/** A group as its loop sees it, for the admin port. */
export interface GroupView {
  readonly group: GroupId;
  readonly plan: Plan | undefined;
  readonly facts: GroupFacts | undefined;
  /** why the loop can't even look (the password is not known); absent: nothing stands in the way */
  readonly halted?: Notice | undefined;
  readonly timelines: readonly Timeline[];
  /** when the certificate in the group's Secret ends, ms since 1970; absent: no TLS, or not known */
  readonly certificateUntil?: number;
}
