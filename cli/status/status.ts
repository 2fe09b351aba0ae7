/** What `status` shows of one group: the words of a person, made from what the handlers or only Kubernetes know. */
import type { Timeline } from "../../handlers/act/timeline.ts";
import type { Plan } from "../../model/plan.ts";

/** Whom the account comes from: the handlers, who ask every redis and sentinel; or the objects in Kubernetes alone. */
export type Source = "handlers" | "kubernetes";

export interface PodStatus {
  readonly name: string;
  readonly node: string | undefined;
  readonly role: "master" | "replica" | "sentinel" | "unknown";
  /** `up`, `down 3 s`, `copying`, `loading`, `waiting`; "" for the master; what the connection says where nobody answers */
  readonly link: string;
  readonly offset: number | undefined;
  /** bytes that the master has written and this replica has not processed yet */
  readonly lagBytes: number | undefined;
  readonly keys: number | undefined;
  /** `ok`, `tilt`, `names 10.0.0.2`, `idle`, `refused` …; "" where the pod has none */
  readonly sentinel: string;
  readonly ready: boolean | undefined;
  /** terminating, cordoned node, orphan, not injected …; "" */
  readonly note: string;
}

export interface SentinelStatus {
  readonly answering: number;
  readonly known: number;
  /** votes that elect a master */
  readonly needed: number;
}

export interface Advice {
  readonly reason: string;
  readonly message: string;
}

export interface GroupStatus {
  readonly namespace: string;
  readonly cluster: string;
  readonly source: Source;
  /** why this is not the handlers' account, as a sentence; undefined where it is */
  readonly sourceProblem: string | undefined;
  readonly state: Plan["state"] | "unknown";
  readonly halted: string | undefined;
  /** what stands in the way, in the order of the policies */
  readonly notices: readonly Advice[];
  /** the pod that is master now; undefined: nobody is, or nobody can say */
  readonly master: string | undefined;
  /** of the record on the Service */
  readonly masterSince: string | undefined;
  readonly masterReason: string | undefined;
  readonly service: string;
  /** where clients outside of the cluster connect; undefined: they cannot */
  readonly outside: string | undefined;
  /** the pods that the master Service's selector names */
  readonly leadsTo: readonly string[];
  /** requests of a person that wait on the Service, as `handover=any` */
  readonly requests: readonly string[];
  readonly pods: readonly PodStatus[];
  readonly sentinels: SentinelStatus | undefined;
  readonly last: Timeline | undefined;
  /** ms since 1970, by the clock of whoever saw it */
  readonly seenAt: number;
}
