/** A group of redis under test, whoever keeps it highly available, with the clients that write to it. */
import type { Timeline } from "../../handlers/act/timeline.ts";
import type { Bed } from "../../test/e2e/lib/bed.ts";
import type { ClientPod, Where } from "../../test/e2e/lib/client-pod.ts";

/** What is compared: our handlers, clients that ask bare sentinels, a haproxy in front of the same. */
export type Subject = "ours" | "sentinel" | "haproxy";

/** One client and its way to the master. */
export interface Seat {
  readonly subject: Subject;
  readonly client: ClientPod;
  readonly where: Where;
}

export interface MasterSeen {
  readonly pod: string;
  readonly node: string;
}

export interface Stack {
  readonly bed: Bed;
  readonly namespace: string;
  /** the cluster tool's name of the cluster */
  readonly cluster: string;
  readonly seats: readonly Seat[];
  /** label selector of the pods with redis */
  readonly selector: string;
  /** the workload with redis, as kubectl names it */
  readonly workload: string;
  /** a killed master may be master again as soon as it has restarted */
  readonly masterMayReturn: boolean;
  /** who is master by the word of whoever decides: the Service, a majority of the sentinels */
  master(): Promise<MasterSeen>;
  /** throws unless there is one master that all agree on, all replicas and sentinels are there, and each seat can write */
  whole(): Promise<void>;
  /** a person asks for another master */
  handover(): Promise<void>;
  /** the keeper's own steps of the newest change of master since an ISO time */
  steps(since: string): Promise<Timeline | undefined>;
}
