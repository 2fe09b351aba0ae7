/** The addresses that a node gives its pods (CNI plugin host-local: a file for each that is in use, and the last one given; the next free one follows). */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nodeOf } from "./layout.ts";
import { DEFAULT_NAME } from "./lifecycle.ts";
import { CNI_NETWORK } from "./node-config.ts";
import { runningLayout } from "./state.ts";

interface Place {
  /** the cluster */
  name?: string;
  node: string;
}

const folderOf = ({ name, node }: Place): string =>
  join(nodeOf(runningLayout(name ?? DEFAULT_NAME), node).dir, "ipam", CNI_NETWORK);

/** Whether a pod of the node has this address. */
export function addressInUse(address: string, place: Place): boolean {
  return existsSync(join(folderOf(place), address));
}

/** The next pod that starts on the node gets this address, as if all others had been given in between. It must be free. */
export function giveNext(address: string, place: Place): void {
  if (addressInUse(address, place)) throw new Error(`${address} is in use on ${place.node}`);
  const [, network = "", host = ""] = /^(.*\.)(\d+)$/.exec(address) ?? [];
  writeFileSync(join(folderOf(place), "last_reserved_ip.0"), `${network}${Number(host) - 1}`);
}
