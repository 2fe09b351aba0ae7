/** What a decision may ask for. The shell (handlers/act/) has one file per kind of action; nothing else changes Redis, Sentinel or Kubernetes. */
import type { Address, MemberFact, Monitored, OutsiderFact, PodFact } from "./facts.ts";
import type { Reason } from "./reasons.ts";

/** Moves the master Service's selector to one pod and records it there, in one conditional patch. */
export interface RouteAction {
  readonly kind: "route";
  readonly pod: PodFact;
  readonly epoch: number;
  readonly reason: Reason;
  readonly replid: string;
  /** the selector already names the pod: only the record is brought up to date */
  readonly recordOnly: boolean;
  /** the address that the Service led to before, whose connections are cut once routing has moved */
  readonly previous: Address | undefined;
  /** since when there was no master, ms since 1970: where the timeline begins; absent: with the act */
  readonly since?: number;
}

/** Claims the right to make the first master, by a conditional write on the master Service. */
export interface ClaimAction {
  readonly kind: "claim";
  readonly pod: PodFact;
}

/** Writes the record of the master anew from what a majority of the sentinels says: the Service that had it was deleted. */
export interface RestoreRecordAction {
  readonly kind: "restore-record";
  readonly address: Address;
  /** whose address it is, if anybody's */
  readonly pod: PodFact | undefined;
  readonly epoch: number;
}

/** Makes one replica the master and tells every sentinel (by votes and hello, ADR 0001). */
export interface PromoteAction {
  readonly kind: "promote";
  readonly cause: "bootstrap" | "recovery" | "failover" | "person";
  /** best first; the act re-reads their offsets and takes the freshest */
  readonly candidates: readonly MemberFact[];
  /** the master that is replaced, as the sentinels know it */
  readonly old: Address | undefined;
  /** granted votes that are needed; 0 where no sentinel majority can exist yet (bootstrap, recovery) */
  readonly votes: number;
  readonly epoch: number;
  /** the other replicas, to be pointed to the new master */
  readonly others: readonly MemberFact[];
  readonly sentinels: readonly MemberFact[];
  /** the sentinels are told by REMOVE and MONITOR, all at once, instead of by hello */
  readonly byMonitor?: boolean;
  /** since when there is no master, ms since 1970: where the timeline begins; absent: with the act */
  readonly since?: number;
  readonly reason: Reason;
  readonly message: string;
}

/** Asks one sentinel for a failover by its public command. */
export interface SentinelFailoverAction {
  readonly kind: "sentinel-failover";
  readonly sentinel: MemberFact;
  /** the other sentinels, which are asked to vote for that one first; empty with `promotion: sentinel` */
  readonly voters: readonly MemberFact[];
  readonly epoch: number;
  readonly message: string;
}

/** Planned: pause, wait for equal offsets, promote, tell, route, fence. */
export interface HandoverAction {
  readonly kind: "handover";
  /** votes and hello by us, or SENTINEL FAILOVER on the first of `sentinels`, which may then choose any of `candidates` */
  readonly by: "votes" | "sentinel";
  readonly from: MemberFact;
  readonly candidates: readonly MemberFact[];
  readonly others: readonly MemberFact[];
  readonly sentinels: readonly MemberFact[];
  readonly votes: number;
  readonly epoch: number;
  readonly cause: string;
}

/** A new, injected redis copies the data of an un-injected one of the same workload, or the other way round when the annotation was removed. */
export interface CopyAction {
  readonly kind: "copy";
  readonly from: Address;
  readonly to: Address;
  readonly message: string;
}

/** The end of an adoption: pause, equal offsets, promote, route, demote and cut the old one. */
export interface AdoptAction {
  readonly kind: "adopt";
  readonly member: MemberFact;
  readonly outsider: OutsiderFact;
  readonly epoch: number;
}

/** The end of a release: the same the other way round; the Service gets back its old selector. */
export interface ReleaseAction {
  readonly kind: "release";
  readonly member: MemberFact;
  readonly outsider: OutsiderFact;
}

/** Demotes a writable node that is not the master: pause, REPLICAOF, cut its clients. */
export interface FenceAction {
  readonly kind: "fence";
  readonly member: MemberFact;
  readonly master: Address;
  readonly message: string;
}

/** Points a replica to the master. */
export interface AttachAction {
  readonly kind: "attach";
  readonly member: MemberFact;
  readonly master: Address;
}

/** Brings run-time parameters of a redis in line (CONFIG SET). */
export interface ConfigureRedisAction {
  readonly kind: "configure-redis";
  readonly member: MemberFact;
  readonly parameters: Readonly<Record<string, string>>;
}

export interface SentinelSettings {
  readonly quorum: number;
  readonly downAfterMs: number;
  readonly failoverTimeoutMs: number;
  readonly parallelSyncs: number;
}

/** How often a sentinel does what, ms: run-time values (SENTINEL DEBUG) that are gone after its restart. */
export interface SentinelPeriods {
  readonly pingPeriodMs: number;
  readonly infoPeriodMs: number;
}

/** Makes a sentinel watch the group's master. */
export interface MonitorAction {
  readonly kind: "monitor";
  readonly member: MemberFact;
  readonly master: Address;
  readonly settings: SentinelSettings;
  /** it watches another address that it will not give up by itself: REMOVE first */
  readonly replace: boolean;
}

/** Tells a sentinel of a newer configuration in its own hello protocol. */
export interface HelloAction {
  readonly kind: "hello";
  readonly member: MemberFact;
  readonly master: Address;
  readonly epoch: number;
}

export interface SetSentinelAction {
  readonly kind: "set-sentinel";
  readonly member: MemberFact;
  readonly settings: Partial<SentinelSettings>;
  readonly periods: Partial<SentinelPeriods>;
}

/** Makes a sentinel forget peers and replicas that are gone for good, and teaches it the living at once. */
export interface ForgetAction {
  readonly kind: "forget";
  readonly member: MemberFact;
  readonly ghosts: readonly string[];
  readonly monitored: Monitored;
  /** the other sentinels that watch the group: those it is taught */
  readonly peers: readonly MemberFact[];
}

/** Ends a sentinel's process, so that its container starts it again: its boot script reads the slot anew. */
export interface RestartSentinelAction {
  readonly kind: "restart-sentinel";
  readonly member: MemberFact;
}

export interface GiveSlotAction {
  readonly kind: "give-slot";
  readonly pod: PodFact;
  readonly slot: number;
}

/** Role label, deletion cost and readiness gate of a pod. */
export interface MarkPodAction {
  readonly kind: "mark-pod";
  readonly pod: PodFact;
  readonly role: "master" | "replica" | undefined;
  readonly inSync: boolean | undefined;
}

/** Says on the master Service that the group is halted and why, or takes it back. */
export interface MarkServiceAction {
  readonly kind: "mark-service";
  readonly halted: string | undefined;
  readonly clearRequests: readonly ("handover" | "promote")[];
}

/** CLIENT UNPAUSE, so that no pause of a predecessor is left behind. */
export interface UnpauseAction {
  readonly kind: "unpause";
  readonly member: MemberFact;
}

/** Cuts the clients of a former master once the Service leads to the new one. */
export interface CutAction {
  readonly kind: "cut";
  readonly previous: Address;
  readonly master: Address;
  readonly message: string;
}

export type Action =
  | RouteAction
  | ClaimAction
  | RestoreRecordAction
  | PromoteAction
  | SentinelFailoverAction
  | HandoverAction
  | FenceAction
  | CopyAction
  | AdoptAction
  | ReleaseAction
  | AttachAction
  | ConfigureRedisAction
  | MonitorAction
  | HelloAction
  | SetSentinelAction
  | ForgetAction
  | GiveSlotAction
  | RestartSentinelAction
  | MarkPodAction
  | MarkServiceAction
  | UnpauseAction
  | CutAction;

/** Something to be told to people: one Event, one log line, one metric. Told once per change of (reason, message). */
export interface Notice {
  readonly reason: Reason;
  readonly message: string;
}

/** What decide() remembers from one round to the next. Everything in it can be lost without harm. */
export interface Memory {
  /** the last confirmed master */
  readonly master:
    | {
        readonly uid: string;
        readonly address: Address;
        readonly epoch: number;
        readonly replid: string;
        readonly seenAt: number;
      }
    | undefined;
  /** since when there is no confirmed master; undefined while there is one */
  readonly lostAt: number | undefined;
  /** when the group was first seen */
  readonly firstSeenAt: number;
  /** when this process took the lead of the group; undefined while it does not lead */
  readonly leadingSince: number | undefined;
  /** since when a sentinel's list has held an entry that belongs to nobody living, by sentinel id + entry */
  readonly ghostSince: ReadonlyMap<string, number>;
  /** when a sentinel was last made to forget: one at a time */
  readonly forgotAt: number;
  /** too few sentinels answered, and it was said; until enough do again */
  readonly quorumLost: boolean;
  /** when a sentinel was last started again */
  readonly sentinelRestartedAt: number;
  /** a handover that failed is not tried again before this time */
  readonly handoverNotBefore: number;
  /** why the present master is to hand over, and since when; undefined while it may stay */
  readonly handoverWanted: { readonly cause: string; readonly since: number } | undefined;
  /** slots that were written onto pods lately, by pod uid: the watch may not show them yet, and nobody may get one of them twice */
  readonly slotsGiven: ReadonlyMap<string, { readonly slot: number; readonly at: number }>;
  /** the master before the present one */
  readonly previous: Address | undefined;
  /** the leadership (leadingSince) in which what a predecessor may have left half done was finished */
  readonly inheritedFor: number | undefined;
  /** a promotion that was refused is not tried again before this time */
  readonly promoteNotBefore: number;
  /** how often a failover was tried without a new master since there was one */
  readonly promotionsTried: number;
  /** since when the EndpointSlices do not lead to this master, which the Service selects; undefined while they do */
  readonly endpointsLate: { readonly uid: string; readonly since: number } | undefined;
  /** how often, and when last, the Service was moved to the present master: more than once means that somebody resets its selector */
  readonly moved:
    | {
        readonly uid: string;
        readonly epoch: number;
        /** the resourceVersion of the Service that was repaired last */
        readonly version: string;
        readonly count: number;
        readonly at: number;
      }
    | undefined;
}

export interface Plan {
  readonly actions: readonly Action[];
  readonly notices: readonly Notice[];
  /** one word for the state of the group, for `status`, metrics and the log */
  readonly state: "ok" | "degraded" | "waiting" | "masterless" | "halted" | "handover";
  readonly memory: Memory;
}
