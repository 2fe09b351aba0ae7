/** The types of a group's facts: what was observed, nothing that was concluded. All times are ms since 1970 by this process' clock unless said. */
import type { BootReport } from "./boot-report.ts";
import type { GroupSettings } from "./settings.ts";

export interface GroupId {
  readonly namespace: string;
  readonly cluster: string;
}

export interface Address {
  readonly ip: string;
  readonly port: number;
}

/** One pod of the group as the API server (watch) tells it. */
export interface PodFact {
  readonly name: string;
  readonly uid: string;
  readonly ip: string | undefined;
  readonly port: number;
  readonly node: string | undefined;
  /** value of LABEL.instance: what the master Service selects */
  readonly instance: string;
  readonly role: GroupSettings["role"];
  readonly hasRedis: boolean;
  readonly hasSentinel: boolean;
  readonly createdAt: number;
  /** hash of the pod template it came from; "" when unknown */
  readonly revision: string;
  readonly terminating: boolean;
  /** how long the kubelet gives it to end, ms */
  readonly graceMs: number;
  /** phase Succeeded or Failed: its processes will not come back */
  readonly ended: boolean;
  /** the pod object is gone, but we still hold a connection to its redis (forced deletion) */
  readonly orphan: boolean;
  /** the kubelet reports that the redis container is not running, or that it was restarted since `startedAt` of the link */
  readonly containerEnded: boolean;
  /** its redis or its sentinel has run once, so it was started with a password that existed */
  readonly started: boolean;
  readonly restarts: number;
  /** the node is cordoned, or gone */
  readonly nodeGoing: boolean;
  readonly slot: number | undefined;
  readonly roleLabel: string | undefined;
  readonly hasGate: boolean;
  readonly inSync: boolean | undefined;
  /** name of the PersistentVolumeClaim that holds the data directory, if the pod has one */
  readonly volume: string | undefined;
  readonly settings: GroupSettings;
  /** annotations that can't be read; defaults stand in for them in `settings` */
  readonly settingErrors: readonly string[];
}

export interface ReplicaSeen {
  readonly ip: string;
  readonly port: number;
  readonly online: boolean;
  readonly offset: number;
  /** seconds since the last acknowledgement */
  readonly lagS: number;
}

/** A redis that answered INFO. */
export interface RedisUp {
  readonly state: "up";
  readonly role: "master" | "replica";
  /** whom it replicates from; undefined for a master */
  readonly master: Address | undefined;
  readonly linkUp: boolean;
  /** a full synchronisation is on */
  readonly syncing: boolean;
  readonly loading: boolean;
  /** it could not write its snapshot or its append-only file, and refuses writes (MISCONF) until it can */
  readonly cannotSave: boolean;
  /** it has save points or an append-only file: what it holds reaches its disk by itself */
  readonly saves: boolean;
  /** bytes of replication stream that it has processed (replica) or written (master) */
  readonly offset: number;
  readonly replid: string;
  readonly replid2: string;
  readonly keys: number;
  /** run-time parameters that the group keeps (CONFIG GET), by name */
  readonly parameters: Readonly<Record<string, string>>;
  readonly runId: string;
  readonly replicas: readonly ReplicaSeen[];
  /** undefined: started by something else than our boot script */
  readonly report: BootReport | undefined;
  /** ms since its link to its master went down; 0 when up, MAX_SAFE_INTEGER when it was never up since the process started */
  readonly linkDownMs: number;
}

/**
 * A redis that did not answer.
 * refused: nobody listens there (RST). timeout: connected but silent, or the connection attempt was swallowed. denied: wrong password, or a
 * certificate that is not the group's: not one of ours.
 */
export interface RedisDown {
  readonly state: "refused" | "timeout" | "denied" | "unknown";
  /** how long it has been so, in ms */
  readonly forMs: number;
  /** what was last seen before it went away */
  readonly last: RedisUp | undefined;
}

export type RedisFact = RedisUp | RedisDown;

export interface PeerSeen {
  readonly runId: string;
  readonly ip: string;
  readonly port: number;
  readonly flags: readonly string[];
}

export interface Monitored {
  readonly address: Address;
  readonly configEpoch: number;
  readonly quorum: number;
  readonly downAfterMs: number;
  readonly failoverTimeoutMs: number;
  readonly parallelSyncs: number;
  readonly flags: readonly string[];
  readonly sentinels: readonly PeerSeen[];
  readonly replicas: readonly PeerSeen[];
}

export interface SentinelUp {
  readonly state: "up";
  readonly myId: string;
  readonly tilt: boolean;
  /** how often it pings, ms (SENTINEL DEBUG); undefined where the server does not tell */
  readonly pingPeriodMs?: number;
  /** how often it asks every server for INFO, ms (SENTINEL DEBUG); undefined where the server does not tell */
  readonly infoPeriodMs?: number;
  /** undefined: it does not monitor this group */
  readonly master: Monitored | undefined;
}

export interface SentinelDown {
  readonly state: "refused" | "timeout" | "denied" | "unknown";
  readonly forMs: number;
}

export type SentinelFact = SentinelUp | SentinelDown;

/** What the master Service remembers of the last confirmed master (annotation MARK.master). */
export interface MasterRecord {
  readonly pod: string;
  readonly uid: string;
  readonly instance: string;
  readonly ip: string;
  readonly volume?: string;
  readonly epoch: number;
  /** ISO time at which it became master */
  readonly since: string;
  readonly reason: string;
  readonly replid?: string;
}

export interface ServiceFact {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly record: MasterRecord | undefined;
  readonly history: readonly MasterRecord[];
  /** the selector that a taken-over Service had before */
  readonly originalSelector: Readonly<Record<string, string>> | undefined;
  readonly halted: string | undefined;
  readonly type?: string;
  /** the type that we gave it; absent: nobody did, or a person */
  readonly exposedByUs?: string;
  /** where clients outside of the cluster connect, in words; absent: they cannot */
  readonly outside?: string;
  readonly requests: { readonly handover?: string; readonly promote?: string };
}

export interface MemberFact {
  readonly pod: PodFact;
  readonly redis: RedisFact | undefined;
  readonly sentinel: SentinelFact | undefined;
}

/** A sentinel's word that a promotion is under way: `+failover-state-wait-promotion` named this address. */
export interface PromotionHint {
  readonly address: Address;
  readonly ageMs: number;
}

/**
 * A redis of the same workload, or behind the Service to be taken over, that the webhook has not injected: what the group is adopted from, or, when the
 * annotation was removed, what it is given back to.
 */
export interface OutsiderFact {
  readonly pod: string;
  readonly uid: string;
  readonly address: Address;
  readonly createdAt: number;
  readonly terminating: boolean;
  readonly redis: RedisFact;
  /** it takes commands without a password */
  readonly open: boolean;
}

export interface GroupFacts {
  readonly group: GroupId;
  /** ms since 1970 when these facts were read */
  readonly at: number;
  /** this process may change Redis and Sentinel (holds the Lease) */
  readonly leading: boolean;
  readonly settings: GroupSettings;
  readonly members: readonly MemberFact[];
  /** only looked for where it matters: before the bootstrap, and while the last injected pod is going */
  readonly outsiders: readonly OutsiderFact[];
  /** nobody has looked for them in this round, or the API server did not answer: none in the list does not mean that there is none */
  readonly outsidersUnread?: boolean;
  /** labels by which the workload selects its pods, for a Service that has to lead to un-injected ones again */
  readonly outsiderSelector: Readonly<Record<string, string>> | undefined;
  /** undefined: does not exist (or is not yet known) */
  readonly masterService: ServiceFact | undefined;
  /** uids of the pods behind the master Service, by its EndpointSlices */
  readonly endpoints: readonly string[];
  readonly hint: PromotionHint | undefined;
  /** in how many ms kube-proxy takes up a change of endpoints at once, as far as we saw what keeps it busy; 0: now */
  readonly proxiesFreeInMs: number;
  /** highest epoch heard of from any sentinel */
  readonly epochHeard: number;
}
