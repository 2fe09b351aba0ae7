/** What the matrix needs to know of a fault. */
import type { ClientPod } from "../../test/e2e/lib/client-pod.ts";
import type { Ours } from "../failover/ours.ts";

/** One run: the group, its master and the client, before the fault. */
export interface Scene {
  readonly ours: Ours;
  readonly client: ClientPod;
  readonly pod: string;
  readonly node: string;
  readonly ip: string;
  /** the number of the run, from 0: for faults that differ from run to run */
  readonly run: number;
  /** something that people should know of this run */
  note(text: string): void;
}

/**
 * What asynchronous replication may lose at worst.
 * none: nothing. death: what the master had acknowledged and not yet sent when its process or node died. isolated: what a master cut off from its replicas took until
 * min-replicas-max-lag was over. deaf: what a master took that does not know that nobody hears it, since its replicas still report, until another one was made and it was
 * demoted.
 */
export type Allowed = "none" | "death" | "isolated" | "deaf";

export interface MatrixFault {
  readonly what: string;
  readonly allowed: Allowed;
  /** the client is on the master's node; else on a node of its own */
  readonly clientWithMaster?: boolean;
  /** the data directory is a small disk of its own */
  readonly smallDisk?: boolean;
  /** each run strikes something else; its notes, which the table prints, tell what */
  readonly varies?: boolean;
  /** Makes the fault and takes it back; returns when nothing is wrong any more but what it caused. */
  act(scene: Scene): Promise<void>;
}

export type Faults = Readonly<Record<string, MatrixFault>>;
