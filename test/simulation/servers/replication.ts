/** What the two sides of a replication link say to each other, the replica that follows (following.ts) and the master with its followers (followers.ts). */
import type { Entry } from "./data.ts";

export interface Psync {
  readonly psync: {
    readonly password: string | undefined;
    readonly replid: string;
    readonly offset: number;
    readonly ip: string;
    readonly port: number;
  };
}
export interface Ack {
  readonly ack: number;
}
export interface Stream {
  readonly entries?: readonly Entry[];
  readonly resume?: { readonly replid: string };
  readonly full?: { readonly replid: string };
  readonly snapshot?: { readonly head: Entry; readonly replid: string };
  /** stale: MASTERDOWN; no: a wrong password, LOADING, NOMASTERLINK */
  readonly refused?: "stale" | "no";
}

/** repl-timeout */
export const TIMEOUT_MS = 60_000;

/** What INFO says where there is none */
export const NO_HISTORY = "0".repeat(40);
