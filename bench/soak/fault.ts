/** What the soak needs to know of a fault. */
import type { Pod } from "../../kube/types.ts";
import type { Random } from "../../test/simulation/world/random.ts";
import type { SoakGroup } from "./groups.ts";

/** What can be struck at this moment. */
export interface Scene {
  readonly cluster: string;
  readonly random: Random;
  readonly group: SoakGroup;
  /** the pods with redis of that group, the master first */
  readonly pods: readonly Pod[];
  /** the nodes of the groups */
  readonly nodes: readonly string[];
  /** nodes on which no handler runs */
  readonly nodesWithoutHandlers: readonly string[];
  /** handlers may be killed: not in the part of the soak in which their memory is judged */
  readonly handlersMayDie: boolean;
}

/**
 * What asynchronous replication may lose at worst by a fault: nothing; what a dying master had not sent; what a master that is cut off from its replicas takes
 * until min-replicas-max-lag is over. `late`: nothing by itself, but a master that dies meanwhile has more that was not sent.
 */
export type Cost = "none" | "death" | "isolated" | "late";

export interface SoakFault {
  readonly what: string;
  /** for its group, or for all of them when a node or the network is struck */
  readonly cost: Cost;
  /** a copy of the data ends by it: only where another one is in sync, and no node is away */
  readonly deadly: boolean;
  /** group: one group's processes. network: a node or its packets, one at a time. system: handlers or the API server, one at a time. */
  readonly scope: "group" | "network" | "system";
  readonly weight: number;
  /** Makes the fault and takes it back. */
  act(scene: Scene): Promise<void>;
}
