/** What the admin port tells the page, as JSON over server-sent events. No secrets: nothing of a password, a Secret's content, or a key's value. Times are ms since 1970 by the replica's clock unless said. */
import type { Plan } from "../model/plan.ts";

/** Names of the messages of the stream. */
export const MESSAGE = {
  /** Overview, when it changed, at most once a second */
  overview: "overview",
  /** GroupMessage of the group that was asked for, when it changed */
  group: "group",
  /** NewsItem[], those that are new to the reader */
  news: "news",
  /** Tick, every TICK_MS: the replica lives, and this is its time */
  tick: "tick",
  /** {}: too many readers already */
  full: "full",
} as const;

/** So often the replica says that it lives, ms. */
export const TICK_MS = 2000;

/** `unknown`: the group's loop has not read its first facts yet. */
export type GroupState = Plan["state"] | "unknown";

/** The replica of redis-ha that answers. */
export interface Replica {
  readonly pod: string;
  readonly version: string;
  readonly startedAt: number;
  /** it holds the Lease: only then does it change Redis and Sentinel */
  readonly leads: boolean;
  /** the pod that holds the Lease, as this replica last saw it; absent: nobody, or not known */
  readonly leader?: string;
  /** false: it runs the webhook only, or its handlers have not started, so it knows no groups */
  readonly handlers: boolean;
}

/** One group in a line. */
export interface GroupRow {
  readonly namespace: string;
  readonly cluster: string;
  readonly state: GroupState;
  /** set when the facts are older than they should be: when they were read */
  readonly staleSince?: number;
  /** the confirmed master: Sentinel (or the record) names it and it says so itself */
  readonly master?: string;
  /** since when that pod is master, ISO time, from the record on the Service */
  readonly since?: string;
  readonly redis: { readonly up: number; readonly all: number };
  /** `needed`: a majority of all who have a vote */
  readonly sentinels: { readonly up: number; readonly all: number; readonly needed: number };
  /** how far the slowest attached replica is behind the master, bytes of replication stream */
  readonly lagBytes?: number;
}

/** One stay in office, as the master Service remembers it. */
export interface Reign {
  readonly pod: string;
  /** ISO time */
  readonly since: string;
  /** a word of model/reasons.ts */
  readonly reason: string;
  readonly epoch: number;
}

/** Something that is not as it should be, with the word that Events, log and metrics use. */
export interface Note {
  readonly reason: string;
  readonly message: string;
  readonly level: Level;
}

export type Level = "info" | "warning" | "halted";

/** refused: nobody listens there. timeout: silent. denied: wrong password. unknown: not connected yet. */
export interface Down {
  readonly state: "refused" | "timeout" | "denied" | "unknown";
  /** since when, as far as this replica saw */
  readonly since: number;
}

export interface RedisLine {
  readonly state: "up";
  readonly role: "master" | "replica";
  /** pod (else address) that it replicates from; absent for a master, and for one that waits for a master */
  readonly of?: string;
  readonly linkUp: boolean;
  readonly syncing: boolean;
  readonly loading: boolean;
  /** bytes of replication stream */
  readonly offset: number;
  readonly keys: number;
  /** behind the confirmed master, bytes; absent where that can't be told */
  readonly lagBytes?: number;
  /** seconds since its last acknowledgement, as the master says */
  readonly lagSeconds?: number;
}

export interface SentinelLine {
  readonly state: "up";
  /** it knows that its clock jumped, and can't be trusted */
  readonly tilt: boolean;
  /** pod (else address) that it calls master; absent: it watches nobody yet */
  readonly names?: string;
  /** it thinks that the master is down */
  readonly suspects: boolean;
  /** a failover of its own is under way */
  readonly electing: boolean;
}

export interface MemberLine {
  readonly pod: string;
  readonly node?: string;
  readonly ip?: string;
  readonly createdAt: number;
  readonly restarts: number;
  readonly terminating: boolean;
  /** its pod object is gone, its process still answers */
  readonly orphan: boolean;
  /** its processes will not come back */
  readonly ended: boolean;
  readonly nodeGoing: boolean;
  readonly volume?: string;
  /** absent: this pod runs no redis */
  readonly redis?: RedisLine | Down;
  /** absent: this pod runs no sentinel */
  readonly sentinel?: SentinelLine | Down;
}

/** One change of master, step by step. */
export interface Change {
  readonly kind: string;
  readonly cause: string;
  /** ISO time */
  readonly startedAt: string;
  /** pod or address; "" when nobody was master */
  readonly from: string;
  readonly to: string;
  readonly outcome: string;
  /** ms since the start */
  readonly steps: readonly { readonly step: string; readonly ms: number }[];
}

/** One group with all that the page shows of it. */
export interface GroupDetail extends GroupRow {
  /** what this replica has to say now; those of the leader are the ones that count */
  readonly notes: readonly Note[];
  readonly service: {
    readonly name: string;
    readonly exists: boolean;
    /** the pod that its selector names; absent: none that lives */
    readonly leadsTo?: string;
    /** what the Service says of why the group is halted */
    readonly halted?: string;
  };
  /** since when this replica sees no confirmed master; absent while there is one */
  readonly lostAt?: number;
  /** the last confirmed master */
  readonly record?: Reign;
  /** those before it, the newest first */
  readonly history: readonly Reign[];
  readonly requests: { readonly handover?: string; readonly promote?: string };
  readonly settings: { readonly downAfterMs: number; readonly recovery: string; readonly port: number };
  readonly members: readonly MemberLine[];
  /** un-injected pods that the group is taken over from, or given back to */
  readonly outsiders: readonly string[];
  /** the newest first; only what this replica knows */
  readonly changes: readonly Change[];
}

export interface Overview {
  readonly at: number;
  readonly replica: Replica;
  readonly groups: readonly GroupRow[];
}

/** `group` is null when this replica knows no such group. */
export interface GroupMessage {
  readonly namespace: string;
  readonly cluster: string;
  readonly group: GroupDetail | null;
}

/** One occurrence, as it was told in Events and log. */
export interface NewsItem {
  /** counts up from 1 since the replica started */
  readonly seq: number;
  readonly at: number;
  readonly reason: string;
  readonly message: string;
  readonly level: Level;
  readonly namespace?: string;
  readonly cluster?: string;
  /** bytes of replication stream that are known to be lost (reason WritesLost) */
  readonly lostBytes?: number;
}

export interface Tick {
  readonly at: number;
}
