/** What doctor says: what is wrong, with which object, and the command that mends it. */
import type { Labels, Selector } from "../../kube/selector.ts";
import type { CoreEvent, Deployment, MutatingWebhookConfiguration, Pod, Service } from "../../kube/types.ts";
import type { GroupStatus } from "../status/status.ts";
import type { NetworkPolicy } from "./network.ts";
import type { TlsSecretSeen } from "./tls.ts";

/** broken: it does not work, or data is at risk now. warning: it will hurt some day. hint: good to know. */
export type Level = "broken" | "warning" | "hint";

export interface Finding {
  readonly level: Level;
  readonly check: string;
  readonly message: string;
  /** a command, or a sentence where no command can do it */
  readonly mend: string;
}

/** One right that the handlers need, and whether they have it. */
export interface RightSeen {
  readonly what: string;
  readonly allowed: boolean;
}

export interface NodeLease {
  readonly node: string;
  /** ISO time by the node's clock */
  readonly renewTime: string;
}

/** A PodDisruptionBudget. */
export interface BudgetSeen {
  readonly namespace: string;
  readonly name: string;
  readonly selector: Selector | undefined;
}

/** It was looked for, and is not there. */
export const MISSING = "missing";

/** Everything that doctor looked at. A part that could not be read is undefined, and `unread` says why. */
export interface Facts {
  readonly version: string;
  readonly system: string;
  /** `1.37` */
  readonly kubernetes: string | undefined;
  /** ms since 1970, by this machine's and by the API server's clock at the same moment */
  readonly here: number;
  readonly there: number | undefined;
  readonly nodeLeases: readonly NodeLease[] | undefined;
  readonly deployment: Deployment | typeof MISSING | undefined;
  readonly serverPods: readonly Pod[];
  /** by pod: what its /readyz says; "ok" when it is */
  readonly readiness: Readonly<Record<string, string>>;
  readonly webhook: MutatingWebhookConfiguration | typeof MISSING | undefined;
  readonly rights: readonly RightSeen[] | undefined;
  readonly systemLabels: Labels;
  readonly policies: readonly NetworkPolicy[] | undefined;
  /** of the namespaces that were looked at */
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly budgets: readonly BudgetSeen[] | undefined;
  readonly events: readonly CoreEvent[];
  readonly groups: readonly GroupStatus[];
  /** ready addresses behind the cluster's DNS Service; undefined: there is none of that name */
  readonly dnsEndpoints: number | undefined;
  /** of the groups with TLS; one that this person may not read is left out */
  readonly tlsSecrets: readonly TlsSecretSeen[];
  readonly unread: readonly string[];
}

export const finding = (level: Level, check: string, message: string, mend: string): Finding => ({ level, check, message, mend });

export type Check = (facts: Facts) => Finding[];

const ORDER: Readonly<Record<Level, number>> = { broken: 0, warning: 1, hint: 2 };
export const bySeverity = (a: Finding, b: Finding): number => ORDER[a.level] - ORDER[b.level];
